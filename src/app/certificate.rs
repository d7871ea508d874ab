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
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

#[derive(Debug)]
pub struct Certificate {
    files: Files,
    shown: RwLock<Arc<ServerConfig>>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificate {
    pub(super) fn read((certificate, key): (&Path, &Path)) -> anyhow::Result<Arc<Self>> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let shown = RwLock::new(files.read()?);
        Ok(Arc::new(Self { files, shown }))
    }

    /// Connections that are there keep what they were shown. Nobody who comes back goes on from the old one: what was
    /// agreed on under it is forgotten with it.
    pub fn reload(&self) {
        match self.files.read() {
            Ok(fresh) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                tracing::info!("certificate reloaded");
            }
            Err(error) => tracing::error!(cause = format!("{error:#}"), "certificate not reloaded, the old one stays"),
        }
    }

    /// For one new connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Files {
    /// A key that is not the certificate's is refused here, not at the first connection. HTTP/1.1 is what is spoken.
    fn read(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let unreadable = |setting: &str, path: &Path| format!("{setting}, {}, cannot be used", path.display());
        let of_certificate = || unreadable("http.tls_certificate", &self.certificate);
        let chain: Vec<_> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .with_context(of_certificate)?;
        anyhow::ensure!(!chain.is_empty(), "{}: there is no certificate in it", of_certificate());
        let key = PrivateKeyDer::from_pem_file(&self.key).with_context(|| unreadable("http.tls_key", &self.key))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("http.tls_certificate and http.tls_key do not fit together")?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
