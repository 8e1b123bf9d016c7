//! Sessions under a virtual clock, with an Alexa and a phone that are models, and faults on the way to and from Alexa.

mod arrows;
mod chaos;
mod rules;
mod world;
