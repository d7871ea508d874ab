//! How every HTTP client of ours begins: with ring as the one TLS provider of the process, without a proxy, without
//! redirects. Leaves out where a client may go (`outside`).

use std::sync::Once;

use reqwest::{Client, ClientBuilder, redirect::Policy};

/// Two providers in one process would make rustls panic at first use, so nobody else installs one. Doing it twice is doing
/// it once.
pub fn install_tls() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that the process has one already, which then is this very one.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

pub(super) fn client() -> ClientBuilder {
    install_tls();
    Client::builder().no_proxy().redirect(Policy::none()).referer(false)
}
