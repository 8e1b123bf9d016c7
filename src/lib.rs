//! An Alexa skill that places, takes and steers phone calls: a WASI 0.2 component.
