//! The Alexa service and a device, as exact as the facts allow.
