use std::path::Path;

use roster_domain::AdminSignUp;
use roster_domain::values::weakness;
use roster_settings::{S3Settings, Settings};
use secrecy::ExposeSecret as _;

/// Writes the first lines of the log: what is used, and what is open to whom.
pub fn announce(settings: &Settings, secret_key_file: Option<&Path>) {
    let version = env!("CARGO_PKG_VERSION");
    let images = &settings.images;
    let database = settings.database.place();
    tracing::info!(
        event = "starting",
        version,
        %database,
        %images,
        "users in {database}, images in {images}"
    );
    if let Some(s3) = settings.images.s3() {
        uploads_to_s3(s3);
        if settings.public_images {
            tracing::warn!(
                event = "public images",
                "anyone may read images in S3 by their addresses: PUBLIC_IMAGES=on"
            );
        }
    }
    reach(settings);
    admin_sign_up(settings.admin_sign_up);
    signing_key(settings, secret_key_file);
    if !settings.cors_origins.is_empty() {
        let origins = settings.cors_origins.join(", ");
        tracing::info!(event = "browsers", origins, "browsers may call from other sites: CORS_ORIGINS");
    }
}

fn reach(settings: &Settings) {
    let host = &settings.host;
    if host.is_loopback() {
        tracing::info!(event = "reach", %host, "only this machine can reach it: HOST={host}");
    } else {
        tracing::warn!(event = "reach", %host, "other machines can reach it: HOST={host}");
    }
}

fn uploads_to_s3(s3: &S3Settings) {
    let (uploads, place) = (&s3.uploads, s3.endpoint.as_ref().unwrap_or(&s3.region));
    let keys = if s3.keys.is_some() { "AWS_ACCESS_KEY_ID" } else { "credentials that the AWS SDK looks for" };
    tracing::info!(event = "s3", %uploads, place, "uploads to S3 go to {uploads} at {place}, with {keys}");
}

fn admin_sign_up(policy: AdminSignUp) {
    let event = "admin sign-up";
    match policy {
        AdminSignUp::Open => {
            tracing::warn!(event, policy = "open", "anyone may sign up as an admin: ADMIN_SIGNUP=open");
        }
        AdminSignUp::Bootstrap => tracing::info!(
            event,
            policy = "bootstrap",
            "anyone may sign up as an admin until there has been one: ADMIN_SIGNUP=bootstrap"
        ),
        AdminSignUp::Closed => {
            tracing::info!(event, policy = "closed", "only admins may sign up admins: ADMIN_SIGNUP=closed");
        }
    }
}

fn signing_key(settings: &Settings, file: Option<&Path>) {
    let event = "signing key";
    if let Some(weakness) = settings.secret_key.weakness() {
        tracing::warn!(event, "others may forge tokens: SECRET_KEY {weakness}");
    } else if let Some(file) = file.map(Path::display) {
        tracing::info!(event, %file, "SECRET_KEY is not set: tokens are signed with the key in {file}");
    } else {
        tracing::info!(event, "tokens are signed with SECRET_KEY");
    }
    if let Some(previous) = &settings.secret_key_previous {
        if let Some(weakness) = weakness(previous.expose_secret()) {
            tracing::warn!(event, "others may forge tokens: SECRET_KEY_PREVIOUS {weakness}");
        }
        tracing::warn!(
            event,
            "tokens that SECRET_KEY_PREVIOUS signed are accepted too: remove it once they have ended, after 7 days"
        );
    }
}
