//! The least that a server on MongoDB does: one `find_one` by id, and its outcome as JSON.

use std::env;
use std::io::Write as _;

use actix_web::{App, HttpResponse, HttpServer, error, web};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};

use crate::outcome::Outcome;

/// As many connections as the adapter has.
const CONNECTIONS: u32 = 32;

/// Serves `/{user_id}` until the process is killed.
pub(crate) fn serve() -> Outcome {
    let (url, database) = (env::var("DATABASE_URL")?, env::var("DB_NAME")?);
    actix_web::rt::System::new().block_on(async {
        let mut options = ClientOptions::parse(&url).await?;
        options.max_pool_size = Some(CONNECTIONS);
        let users: Collection<RawDocumentBuf> =
            Client::with_options(options)?.database(&database).collection("users");
        let workers = std::thread::available_parallelism()?.get();
        let state = web::Data::new(users);
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).route("/{user_id}", web::get().to(read))
        })
        .workers(workers)
        .bind(("127.0.0.1", 0))?;
        let address = server.addrs()[0];
        writeln!(std::io::stdout(), "listening on http://{address}")?;
        Ok(server.run().await?)
    })
}

async fn read(
    users: web::Data<Collection<RawDocumentBuf>>,
    id: web::Path<String>,
) -> actix_web::Result<HttpResponse> {
    let Ok(id) = id.parse::<ObjectId>() else { return Ok(HttpResponse::NotFound().finish()) };
    let shown =
        doc! { "email": 1, "username": 1, "role": 1, "created_at": 1, "updated_at": 1, "updated_by": 1 };
    let found = users.find_one(doc! { "_id": id }).projection(shown).await;
    let found = found.map_err(error::ErrorInternalServerError)?;
    Ok(found.map_or_else(|| HttpResponse::NotFound().finish(), |user| HttpResponse::Ok().json(user)))
}
