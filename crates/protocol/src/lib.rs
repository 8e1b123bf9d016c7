//! The wire types of skillcall and their rules: Alexa, SIP media application, signing, trace.
