//! RTP, jitter buffer, G.711, DTMF, players, recorders and quality figures, driven by a sample clock.
