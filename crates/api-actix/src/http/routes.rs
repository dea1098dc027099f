use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, web};

use super::answers::Detail;
use super::endpoint::Endpoint;
use super::redirect::unknown_path;
use super::table::TABLE;

/// Serves the whole table, and answers what is not in it.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    for endpoint in TABLE.iter() {
        let resource =
            web::resource(endpoint.path.as_str()).app_data(endpoint).default_service(web::to(wrong_method));
        let methods = endpoint.methods.iter();
        let resource = methods
            .fold(resource, |resource, (method, route)| resource.route(route().method(method.clone())));
        config.service(resource);
    }
    config.default_service(web::to(unknown_path));
}

async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let allow = request.app_data::<&'static Endpoint>().map_or("", |endpoint| &endpoint.allow);
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, allow))
        .json(Detail { detail: "Method Not Allowed" })
}
