//! What a team would write instead in an afternoon, as a throw-away: one SQLite file for everybody, a table, an upsert and a
//! commit for each request, no batching. With the settings that make it durable and let it be read meanwhile, as a good team
//! knows them. It takes the same requests as the gateway, and keeps a name and no more: no private name beside the
//! pushname, no history, no feed, no search.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    sync::{Mutex, PoisonError},
};

use actix_web::{App, HttpResponse, HttpServer, error::ErrorInternalServerError, web};
use rusqlite::{Connection, params};
use wabook::config::Config;

use crate::{WAWP, baseline::Body};

const TABLE: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE contact (
        instance TEXT NOT NULL, chat_id TEXT NOT NULL, first_name TEXT, last_name TEXT, updated_at INTEGER NOT NULL,
        PRIMARY KEY (instance, chat_id)
    );";
const UPSERT: &str = "
    INSERT INTO contact (instance, chat_id, first_name, last_name, updated_at) VALUES (?1, ?2, ?3, ?4, unixepoch())
    ON CONFLICT DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name, updated_at = excluded.updated_at";

/// Everybody is let in, and only saving is possible. Must be called within a tokio runtime and serves as long as that lives.
pub fn start(config: &Config, folder: &Path) -> anyhow::Result<SocketAddr> {
    let connection = Connection::open(folder.join("afternoon.db"))?;
    connection.execute_batch(TABLE)?;
    let connection = web::Data::new(Mutex::new(connection));
    let factory = move || App::new().app_data(connection.clone()).route(WAWP, web::post().to(save));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(factory)
        .workers(config.workers())
        .keep_alive(config.http.keep_alive)
        .disable_signals()
        .listen(listener)?
        .run();
    tokio::spawn(server);
    Ok(address)
}

async fn save(body: web::Bytes, connection: web::Data<Mutex<Connection>>) -> actix_web::Result<HttpResponse> {
    let saved = web::block(move || -> anyhow::Result<usize> {
        let Body { instance_id, chat_id, first_name, last_name, .. } = serde_json::from_slice(&body)?;
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut upsert = connection.prepare_cached(UPSERT)?;
        Ok(upsert.execute(params![instance_id, chat_id, first_name, last_name])?)
    });
    saved.await?.map_err(ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(r#"{"ok": true}"#))
}
