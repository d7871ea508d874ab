//! HTTPS: a certificate from two files, shown to every new connection, read anew on SIGHUP, and what is wrong with the
//! files said at the start. By the program itself, with certificates made here.

use std::{fs, path::PathBuf, time::Duration};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Method, Version};
use serde_json::{Value, json};

use crate::{
    shared::{
        PATIENCE,
        server::{Home, Server},
        wire::Wire,
    },
    support::TestApp,
};

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn of(home: &Home) -> Self {
        Self { certificate: home.path("server.pem"), key: home.path("server.key") }
    }

    /// A new certificate in their place, to be trusted.
    fn renew(&self) -> Certificate {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
        fs::write(&self.certificate, cert.pem()).unwrap();
        fs::write(&self.key, signing_key.serialize_pem()).unwrap();
        Certificate::from_pem(cert.pem().as_bytes()).unwrap()
    }

    fn serve(&self, home: &Home) -> Server {
        let (certificate, key) = (self.certificate.to_str().unwrap(), self.key.to_str().unwrap());
        home.serve_with(&[("WABOOK_HTTP__TLS_CERTIFICATE", certificate), ("WABOOK_HTTP__TLS_KEY", key)])
    }
}

/// Who trusts this certificate alone, and makes a connection for each request.
fn client(trusted: Certificate) -> Client {
    wabook::sync::install_tls();
    let client = Client::builder().no_proxy().tls_certs_only([trusted]).timeout(PATIENCE);
    client.pool_max_idle_per_host(0).build().unwrap()
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come");
}

#[tokio::test]
async fn a_certificate_makes_it_https_and_commands_still_find_the_server() {
    let home = Home::new();
    let files = Files::of(&home);
    let trusting = client(files.renew());
    let server = files.serve(&home);
    let base = format!("https://{}", server.address);

    let response = trusting.get(format!("{base}/healthz")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_11));
    assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000");

    let saved = json!({"instance_id": "demo", "access_token": server.token(), "chatId": "123@c.us", "firstName": "Bob", "lastName": "Smith"});
    let response = trusting.post(format!("{base}/v2/contacts/update")).json(&saved).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let list = trusting.get(format!("{base}/api/v2/contacts")).bearer_auth(server.token()).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    assert!(list.to_string().contains("\"https://"), "links lead back the secure way: {list}");

    let is_plain_answered = Wire::to(&server.address).unwrap().get("/healthz").is_ok();
    assert!(!is_plain_answered, "nobody speaks plain HTTP there");
    assert!(
        client(files.renew()).get(format!("{base}/healthz")).send().await.is_err(),
        "another certificate is another server"
    );
    let instances = home.json(&["instance", "list"]);
    assert_eq!(instances["instances"][0]["instance_id"], "demo");
    assert!(server.stop().success());
    assert_eq!(home.json(&["instance", "show", "demo"])["contacts"], 1, "also when no server runs");
}

#[tokio::test]
async fn sighup_brings_the_new_certificate_and_a_broken_file_keeps_the_old_one() {
    let home = Home::new();
    let files = Files::of(&home);
    let first = client(files.renew());
    let server = files.serve(&home);
    let url = format!("https://{}/healthz", server.address);
    let is_trusted_by =
        async |client: &Client| client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200);
    assert!(is_trusted_by(&first).await);

    let second = client(files.renew());
    assert!(is_trusted_by(&first).await && !is_trusted_by(&second).await, "nobody has asked for it yet");
    server.signal("HUP");
    until("the new certificate", async || is_trusted_by(&second).await).await;
    assert!(!is_trusted_by(&first).await);

    fs::write(&files.key, "this is no key").unwrap();
    server.signal("HUP");
    until("the complaint", async || home.log().contains("certificate not reloaded, the old one stays")).await;
    assert!(is_trusted_by(&second).await);
    let third = client(files.renew());
    server.signal("HUP");
    until("the third certificate", async || is_trusted_by(&third).await).await;
    assert!(server.stop().success());
}

#[test]
fn files_that_do_not_fit_are_named_at_the_start() {
    let home = Home::new();
    let files = Files::of(&home);
    files.renew();
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let complaint = |certificate: &str, key: &str| {
        let settings = format!("[http]\ntls_certificate = {certificate:?}\ntls_key = {key:?}\n");
        fs::write(home.path("tls.toml"), settings).unwrap();
        home.complaint(&["serve", "--listen", "127.0.0.1:0", "--config", home.path("tls.toml").to_str().unwrap()])
    };
    assert!(complaint(certificate, "").contains("set both or none"));
    assert!(complaint("/nowhere.pem", key).contains("http.tls_certificate, /nowhere.pem, cannot be used"));
    assert!(complaint(key, key).contains("there is no certificate in it"));
    assert!(complaint(certificate, certificate).contains("http.tls_key"));
    let mine = fs::read(&files.key).unwrap();
    files.renew();
    fs::write(&files.key, mine).unwrap();
    assert!(complaint(certificate, key).contains("do not fit together"));
    assert!(!home.sessions().exists(), "nothing was begun");
}

#[tokio::test]
async fn without_a_certificate_links_are_plain() {
    let app = TestApp::start().await;
    let tenant = app.instance().await;
    let list = app.request(Method::GET, "/api/v2/contacts").bearer_auth(&tenant.token).send().await.unwrap();
    assert!(!list.text().await.unwrap().contains("https://"));
}
