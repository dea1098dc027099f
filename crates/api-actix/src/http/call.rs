use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use roster_domain::entities::Request;
use roster_domain::ports::{AccessClaims, SpoolShare};
use roster_domain::values::{AccessToken, ClientAddress, StoreName, UserId};
use roster_domain::{Chain, Error, Roster};
use roster_fastapi_body::{CollectError, Form, read_json, read_query};

use super::error::Refusal;
use super::limits::Limits;
use super::middleware::Noted;
use super::state::AppState;

/// One call of an endpoint: the request, and what all requests share.
///
/// An endpoint asks for the caller first, then for body and query, then for a user's id: in that order refusals are
/// told.
pub(super) struct Call {
    state: web::Data<AppState>,
    http: HttpRequest,
    request: Request,
}

impl FromRequest for Call {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if !matches!(payload, Payload::None) && is_encoded(request.headers()) {
            return ready(Err(Refusal::Encoded));
        }
        let state = request.app_data::<web::Data<AppState>>().cloned();
        let noted = request.extensions().get::<Noted>().map(|noted| noted.request);
        let call =
            state.zip(noted).map(|(state, noted)| Self { state, http: request.clone(), request: noted });
        ready(call.ok_or_else(|| Error::Internal("the application is not whole".into()).into()))
    }
}

/// Whether the body is not sent as it is.
fn is_encoded(headers: &HeaderMap) -> bool {
    let codings =
        headers.get_all(CONTENT_ENCODING).flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty());
    codings.any(|coding| !coding.eq_ignore_ascii_case(b"identity"))
}

impl Call {
    /// Its id, and where it comes from.
    pub(super) fn request(&self) -> Request {
        self.request
    }

    /// What all requests share, for what outlives the call.
    pub(super) fn state(&self) -> web::Data<AppState> {
        self.state.clone()
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.state.roster
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.state.limits
    }

    /// Room for an upload of that user. It holds nothing yet.
    pub(super) fn spool_share(&self, owner: UserId) -> SpoolShare {
        let address = self.request.client.unwrap_or(ClientAddress::UNKNOWN);
        self.state.spools.share(owner, address.client())
    }

    /// What stands before an image's key in its address, for the stores whose images have one.
    pub(super) fn image_addresses(&self) -> &HashMap<StoreName, String> {
        &self.state.image_addresses
    }

    pub(super) fn http(&self) -> &HttpRequest {
        &self.http
    }

    /// The bearer token, where exactly one credential was sent and is one.
    pub(super) fn token(&self) -> Option<AccessToken> {
        let mut credentials = self.http.headers().get_all(AUTHORIZATION);
        let credential = credentials.next().filter(|_| credentials.next().is_none())?;
        let (scheme, token) = credential.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| AccessToken::new(token.trim().to_owned()))
    }

    /// Who calls, as far as the token says.
    pub(super) fn caller(&self) -> Result<AccessClaims, Refusal> {
        let claims = self.roster().authenticate(self.token().as_ref())?;
        self.note_caller(claims);
        Ok(claims)
    }

    /// Lets the access log know who calls.
    pub(super) fn note_caller(&self, claims: AccessClaims) {
        if let Some(noted) = self.http.extensions_mut().get_mut::<Noted>() {
            noted.caller = Some(claims.user_id);
        }
    }

    /// The user whom the path names.
    pub(super) fn user_id(&self) -> Result<UserId, Refusal> {
        self.http.match_info().query("user_id").parse().map_err(|_| Refusal::NotAnId)
    }

    /// What stands in the query.
    pub(super) fn query<F: Form>(&self) -> Result<F, Refusal> {
        read_query(self.http.query_string()).map_err(Refusal::Invalid)
    }

    /// What stands in the body. Nothing of the body itself is left then.
    pub(super) async fn body<F: Form>(&self, payload: web::Payload) -> Result<F, Refusal> {
        let Limits { body: limit, body_deadline, .. } = *self.limits();
        let body = self.state.bodies.collect(payload, self.announced_length(), limit, body_deadline).await;
        let body = body.map_err(|error| match error {
            CollectError::TooLarge => Refusal::TooLarge,
            CollectError::TooSlow => Refusal::TooSlow,
            CollectError::NoRoom => Refusal::NoRoom,
            CollectError::Broken(_) => Refusal::Unreadable,
        })?;
        read_json(&body, self.sends_json()).map_err(Refusal::Invalid)
    }

    /// What the client says that its body's length will be.
    pub(super) fn announced_length(&self) -> Option<u64> {
        self.http.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// Runs a use case that writes to its end, even if the client goes.
    pub(super) async fn run_to_end<T, F>(&self, use_case: impl FnOnce(Arc<Roster>) -> F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let task = use_case(Arc::clone(&self.state.roster));
        let task = self.state.tasks.spawn_on(task, &self.state.runtime);
        Ok(task.await.map_err(|panic| Error::Internal(panic.into()))??)
    }

    /// Runs a use case to its end, for which the answer doesn't wait.
    pub(super) fn run_beside<F>(&self, use_case: impl FnOnce(Arc<Roster>) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let (task, request) = (use_case(Arc::clone(&self.state.roster)), self.request);
        let task = async move {
            if let Err(error) = task.await {
                tracing::debug!(
                    event = "not noted",
                    error = %Chain(&error),
                    %request,
                    "a failed log-in could not be noted"
                );
            }
        };
        self.state.tasks.spawn_on(task, &self.state.runtime);
    }

    /// Whether requests are to be sent here. It looks to the end, even if the client goes.
    pub(super) async fn is_ready(&self) -> Result<bool, Refusal> {
        let state = self.state.clone();
        let look = async move { state.readiness.look().await };
        Ok(self.state.runtime.spawn(look).await.map_err(|panic| Error::Internal(panic.into()))?)
    }

    /// A body without a type is taken for JSON.
    fn sends_json(&self) -> bool {
        let Some(content_type) = self.http.headers().get(CONTENT_TYPE) else { return true };
        let media_type = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
        let media_type = media_type.trim().to_ascii_lowercase();
        media_type.is_empty()
            || media_type
                .strip_prefix("application/")
                .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
    }
}
