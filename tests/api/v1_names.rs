//! placeholder of a test file about names
