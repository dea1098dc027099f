//! The shape of requests and answers, over stores in memory.

mod accounts;
mod protocol;
mod trash;
mod uploads;
mod users;

use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::{body, web};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use roster_domain::values::{Email, ImageFormat, Password, Username};
use roster_domain::{AdminSignUp, Ports, RateLimits, Roster, Rules, use_cases::SignUp};
use roster_domain_testkit::fakes::{AcceptingProcessor, CountingIds, ManualClock, PlainHasher, PlainTokens};
use roster_domain_testkit::fixtures::{START, request};
use roster_domain_testkit::memory::{MemoryImages, MemoryStore};
use serde_json::Value;

use super::{AppState, Limits, app};

/// A Roster of its own for each test, and how to call it over HTTP.
struct World {
    state: web::Data<AppState>,
    images: MemoryImages,
}

/// Who a test calls as.
struct User {
    id: String,
    token: String,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl World {
    fn new() -> Self {
        Self::with_ports(|_| {})
    }

    fn with_admin_sign_up(admin_sign_up: AdminSignUp) -> Self {
        Self::build(admin_sign_up, |_| {}, |state| state)
    }

    fn with_ports(change: impl FnOnce(&mut Ports)) -> Self {
        Self::build(AdminSignUp::Open, change, |state| state)
    }

    fn with_state(change: impl FnOnce(AppState) -> AppState) -> Self {
        Self::build(AdminSignUp::Open, |_| {}, change)
    }

    fn build(
        admin_sign_up: AdminSignUp,
        change_ports: impl FnOnce(&mut Ports),
        change_state: impl FnOnce(AppState) -> AppState,
    ) -> Self {
        let (stores, ids) = (MemoryStore::new().stores(), Arc::new(CountingIds::new()));
        let images = MemoryImages::new("file");
        let mut ports = Ports {
            accounts: stores.accounts,
            directory: stores.directory,
            sessions: stores.sessions,
            profile_images: stores.profile_images,
            trash: stores.trash,
            images: Arc::new(images.clone()),
            s3_images: None,
            processor: Arc::new(AcceptingProcessor(ImageFormat::Png)),
            hasher: Arc::new(PlainHasher),
            tokens: Arc::new(PlainTokens::new("key")),
            clock: Arc::new(ManualClock::new(START)),
            ids: Arc::clone(&ids) as _,
        };
        change_ports(&mut ports);
        let rules = Rules {
            admin_sign_up,
            trash_retention: Duration::from_hours(24),
            public_images: false,
            limits: RateLimits::default(),
        };
        let state = AppState::new(Arc::new(Roster::new(ports, rules)), ids);
        Self { state: web::Data::new(change_state(state)), images }
    }

    fn with_limits(limits: Limits) -> Self {
        Self::with_state(|state| state.with_limits(limits))
    }

    async fn call(&self, request: TestRequest) -> Answer {
        let service = init_service(app(&self.state)).await;
        Answer::of(try_call_service(&service, request.to_request()).await).await
    }

    /// The same, but the client sends no body, nor its end.
    async fn call_and_stall(&self, request: TestRequest) -> Answer {
        self.call_with_body(request, stream::pending()).await
    }

    /// The same with a body that arrives bit by bit.
    async fn call_with_body(
        &self,
        request: TestRequest,
        body: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> Answer {
        let service = init_service(app(&self.state)).await;
        let mut request = request.to_request();
        *request.payload() = Payload::Stream { payload: body.boxed_local() };
        Answer::of(try_call_service(&service, request).await).await
    }

    /// Signs up a user, `{name}@example.com`, and logs in.
    async fn user(&self, name: &str) -> User {
        let form = Self::form(name);
        self.state.roster.sign_up(form, request()).await.unwrap();
        self.log_in(name).await
    }

    /// The same of an admin.
    async fn admin(&self, name: &str) -> User {
        let form = Self::form(name);
        self.state.roster.admin_sign_up(None, form, request()).await.unwrap();
        self.log_in(name).await
    }

    fn form(name: &str) -> SignUp {
        SignUp {
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            username: Username::parse(name).unwrap(),
            password: Password::parse("secret".to_owned()).unwrap(),
        }
    }

    async fn log_in(&self, name: &str) -> User {
        let SignUp { email, password, .. } = Self::form(name);
        let roster = &self.state.roster;
        let pair = roster.log_in(email, password, request()).await.unwrap();
        let claims = roster.authenticate(Some(&pair.access)).unwrap();
        User { id: claims.user_id.to_string(), token: pair.access.expose().to_owned() }
    }
}

impl User {
    /// That request as this user.
    fn send(&self, request: TestRequest) -> TestRequest {
        request.insert_header(("Authorization", format!("Bearer {}", self.token)))
    }
}

impl Answer {
    async fn of(result: Result<ServiceResponse<impl MessageBody>, actix_web::Error>) -> Self {
        match result {
            Ok(response) => Self::read(response.into_parts().1).await,
            // What the server makes of an error.
            Err(error) => Self::read(error.error_response()).await,
        }
    }

    async fn read(response: actix_web::HttpResponse<impl MessageBody>) -> Self {
        let (head, content) = response.into_parts();
        let Ok(bytes) = body::to_bytes(content).await else { panic!("a body that can't be read") };
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Self { status: head.status().as_u16(), headers: head.headers().clone(), body }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and body.
    fn told(&self) -> (u16, &Value) {
        (self.status, &self.body)
    }
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn post(path: &str) -> TestRequest {
    TestRequest::post().uri(path)
}

fn put(path: &str) -> TestRequest {
    TestRequest::put().uri(path)
}

fn delete(path: &str) -> TestRequest {
    TestRequest::delete().uri(path)
}
