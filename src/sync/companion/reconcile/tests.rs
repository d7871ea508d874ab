//! placeholder tests to come here for this file
