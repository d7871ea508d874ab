//! How every HTTP client of ours begins: with ring as the one TLS provider of the process, without a proxy, without
//! redirects. Leaves out where a client may go (`outside`).

use std::sync::Once;

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// Two providers in one process would make rustls panic at first use, so nobody else installs one.
pub(super) fn client() -> ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Who came first was a test of somebody else's with the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().no_proxy().redirect(Policy::none()).referer(false)
}
