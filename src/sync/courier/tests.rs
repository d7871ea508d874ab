//! The courier's promises, step by step, with a receiver that says what it was told to say.
