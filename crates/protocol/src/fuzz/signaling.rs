//! Messages of `Alexa.Comms.CallSignaling`.

use crate::signaling::{Message, Operation, Refusal};

/// A message: what is read obeys every rule, can be written, and is the same after it was read again. As a refusal any
/// bytes will do.
///
/// # Panics
/// When it does not.
pub fn signaling(data: &[u8]) {
    let refusal = Refusal::read(400, data);
    assert_eq!(refusal.status, 400);
    let message = match Message::read(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(message.validate(), Ok(()));
    let written = serde_json::to_vec(&message).expect("a message can be written");
    let again = Message::read(&written).expect("it can be read");
    // What is given along may hold numbers that no float holds exactly.
    if !matches!(
        message.operation,
        Operation::InitiateInboundCall {
            custom_params: Some(_),
            ..
        }
    ) {
        assert_eq!(again, message);
    }
}
