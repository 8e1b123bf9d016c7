//! A sans-I/O SIP core: messages, transactions, dialogs, offer/answer.
