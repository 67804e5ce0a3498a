//! Whom to trust over TLS: the system's authorities, a file of one's own, or anybody.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// How TLS is spoken to a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// A file of authorities to trust instead of the system's.
    pub cafile: Option<String>,
    /// A file with the client's own certificate, where the service wants one.
    pub certfile: Option<String>,
    /// A file with the key of `certfile`; none = it is in `certfile` too.
    pub keyfile: Option<String>,
    /// Take any certificate.
    pub insecure: bool,
}

/// Where distributions keep the authorities they trust.
const SYSTEM_FILES: &[&str] = &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

impl Tls {
    /// The settings for rustls.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate.
    pub fn client(&self) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| format!("TLS cannot be set up: {e}"))?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(self.authorities()?)
        };
        match &self.certfile {
            None => Ok(builder.with_no_client_auth()),
            Some(file) => {
                let key_file = self.keyfile.as_ref().unwrap_or(file);
                let key = PrivateKeyDer::from_pem_file(key_file)
                    .map_err(|e| format!("{key_file}: no private key can be read: {e}"))?;
                builder
                    .with_client_auth_cert(certificates(file)?, key)
                    .map_err(|e| format!("{file}: the certificate and its key do not fit: {e}"))
            }
        }
    }

    fn authorities(&self) -> Result<RootCertStore, String> {
        let mut trusted = RootCertStore::empty();
        if let Some(file) = &self.cafile {
            trusted.add_parsable_certificates(certificates(file)?);
            return Ok(trusted);
        }
        trusted.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        // Authorities of the operator's own stand in the system's file.
        if let Some(found) = system_file().and_then(|file| certificates(file).ok()) {
            trusted.add_parsable_certificates(found);
        }
        Ok(trusted)
    }
}

/// The file of the authorities that this system trusts, where it has one.
pub fn system_file() -> Option<&'static str> {
    SYSTEM_FILES.iter().copied().find(|file| std::path::Path::new(file).exists())
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(format!("{file}: there is no certificate in it")),
        Err(e) => Err(format!("{file}: no certificates can be read: {e}")),
    }
}

/// Takes any certificate, as `insecure = true` asks for; signatures of the handshake are checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
