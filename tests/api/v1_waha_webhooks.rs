//! placeholder of a test file about webhooks
