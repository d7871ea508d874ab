//! The certificate that this server shows: read from two PEM files, and read anew when somebody asks for it, so that new
//! connections get the new one. Files that do not fit each other change nothing. Leaves out how a connection is made
//! (`listening`).

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Context as _;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

/// Where the certificate and its key are.
#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug)]
pub struct Certificate {
    files: Files,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    pub(super) fn read((certificate, key): (&Path, &Path)) -> anyhow::Result<Arc<Self>> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let shown = RwLock::new(Arc::new(certified(&files)?));
        Ok(Arc::new(Self { files, shown }))
    }

    /// Connections that are there keep what they were shown.
    pub fn reload(&self) {
        match certified(&self.files) {
            Ok(fresh) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!("certificate reloaded");
            }
            Err(error) => tracing::error!(cause = format!("{error:#}"), "certificate not reloaded, the old one stays"),
        }
    }

    /// HTTP/1.1 is what is spoken behind it, and said so.
    pub(super) fn acceptor(self: &Arc<Self>) -> anyhow::Result<TlsAcceptor> {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::<Self>::clone(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config).into())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A key that is not the certificate's is refused here, not at the first connection.
fn certified(Files { certificate, key }: &Files) -> anyhow::Result<CertifiedKey> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .with_context(|| unreadable("http.tls_certificate", certificate))?;
    anyhow::ensure!(
        !chain.is_empty(),
        "{}: there is no certificate in it",
        unreadable("http.tls_certificate", certificate)
    );
    let secret = PrivateKeyDer::from_pem_file(key).with_context(|| unreadable("http.tls_key", key))?;
    CertifiedKey::from_der(chain, secret, &provider())
        .context("http.tls_certificate and http.tls_key do not fit together")
}

fn unreadable(setting: &str, path: &Path) -> String {
    format!("{setting}, {}, cannot be used", path.display())
}
