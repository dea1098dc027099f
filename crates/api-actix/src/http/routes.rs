use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Route, web};

use super::answers::Detail;
use super::endpoints::{
    admin_sign_up, bulk_delete, delete_profile_image, delete_user, edit_user, health, list_trash, list_users,
    live, log_in, profile_upload, profile_upload_s3, purge_user, read_profile_image, read_public_image,
    read_user, ready, refresh, restore_user, sign_up,
};
use super::openapi;
use super::redirect::unknown_path;

/// Makes the route of one method to its endpoint.
type MakeRoute = fn() -> Route;

/// What stands for the path where there is no endpoint.
pub(super) const UNKNOWN: &str = "unknown";

/// A path, and what may be done there.
pub(super) struct Endpoint {
    pub(super) path: &'static str,
    /// The methods, as the `Allow` header names them.
    pub(super) allow: &'static str,
    pub(super) methods: &'static [(Method, MakeRoute)],
}

impl Endpoint {
    /// All methods, each with the route that answers it: what answers GET answers HEAD too (RFC 9110, 9.1), and the server
    /// leaves the body out.
    fn routes(&self) -> impl Iterator<Item = (Method, MakeRoute)> {
        self.methods.iter().flat_map(|(method, route)| {
            let head = (*method == Method::GET).then_some(Method::HEAD);
            [Some(method.clone()), head].into_iter().flatten().map(|method| (method, *route))
        })
    }
}

/// Every path that is served. A path in braces is one segment, whatever it is.
pub(super) static ENDPOINTS: &[Endpoint] = &[
    Endpoint { path: "/health", allow: "GET, HEAD", methods: &[(Method::GET, || web::to(health::health))] },
    Endpoint { path: "/health/live", allow: "GET, HEAD", methods: &[(Method::GET, || web::to(live::live))] },
    Endpoint {
        path: "/health/ready",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(ready::ready))],
    },
    Endpoint {
        path: "/api/v1/auth/signup",
        allow: "POST",
        methods: &[(Method::POST, || web::to(sign_up::sign_up))],
    },
    Endpoint {
        path: "/api/v1/auth/admin/signup",
        allow: "POST",
        methods: &[(Method::POST, || web::to(admin_sign_up::admin_sign_up))],
    },
    Endpoint {
        path: "/api/v1/auth/login",
        allow: "POST",
        methods: &[(Method::POST, || web::to(log_in::log_in))],
    },
    Endpoint {
        path: "/api/v1/refresh/",
        allow: "POST",
        methods: &[(Method::POST, || web::to(refresh::refresh))],
    },
    Endpoint {
        path: "/api/v1/auth/users",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(list_users::list_users))],
    },
    Endpoint {
        path: "/api/v1/auth/users/{user_id}",
        allow: "GET, HEAD, PUT, DELETE",
        methods: &[
            (Method::GET, || web::to(read_user::read_user)),
            (Method::PUT, || web::to(edit_user::edit_user)),
            (Method::DELETE, || web::to(delete_user::delete_user)),
        ],
    },
    Endpoint {
        path: "/api/v1/auth/users/{user_id}/profile-image",
        allow: "GET, HEAD, DELETE",
        methods: &[
            (Method::GET, || web::to(read_profile_image::read_profile_image)),
            (Method::DELETE, || web::to(delete_profile_image::delete_profile_image)),
        ],
    },
    Endpoint {
        path: "/api/v1/profile-images/{owner}/{name}",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(read_public_image::read_public_image))],
    },
    Endpoint {
        path: "/api/v1/trash/",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(list_trash::list_trash))],
    },
    Endpoint {
        path: "/api/v1/trash/bulk-delete",
        allow: "POST",
        methods: &[(Method::POST, || web::to(bulk_delete::bulk_delete))],
    },
    Endpoint {
        path: "/api/v1/trash/restore/{user_id}",
        allow: "PUT",
        methods: &[(Method::PUT, || web::to(restore_user::restore_user))],
    },
    Endpoint {
        path: "/api/v1/trash/permanent/delete/{user_id}",
        allow: "DELETE",
        methods: &[(Method::DELETE, || web::to(purge_user::purge_user))],
    },
    Endpoint {
        path: "/api/v1/profile-upload/",
        allow: "POST",
        methods: &[(Method::POST, || web::to(profile_upload::profile_upload))],
    },
    Endpoint {
        path: "/api/v1/profile-upload-s3/",
        allow: "POST",
        methods: &[(Method::POST, || web::to(profile_upload_s3::profile_upload_s3))],
    },
    Endpoint {
        path: "/openapi.json",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(openapi::document))],
    },
    Endpoint {
        path: "/docs/",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(openapi::swagger_ui))],
    },
    Endpoint {
        path: "/docs/{file}",
        allow: "GET, HEAD",
        methods: &[(Method::GET, || web::to(openapi::swagger_ui))],
    },
];

/// Serves all of them, and answers what is none of them.
pub(super) fn configure(config: &mut web::ServiceConfig) {
    for endpoint in ENDPOINTS {
        let resource = web::resource(endpoint.path).app_data(endpoint).default_service(web::to(wrong_method));
        let resource = endpoint
            .routes()
            .fold(resource, |resource, (method, route)| resource.route(route().method(method)));
        config.service(resource);
    }
    config.default_service(web::to(unknown_path));
}

async fn wrong_method(request: HttpRequest) -> HttpResponse {
    let allow = request.app_data::<&'static Endpoint>().map_or("", |endpoint| endpoint.allow);
    HttpResponse::MethodNotAllowed()
        .insert_header((ALLOW, HeaderValue::from_static(allow)))
        .json(Detail { detail: "Method Not Allowed" })
}

/// Whether a route has this path.
pub(super) fn exists(path: &str) -> bool {
    ENDPOINTS.iter().any(|endpoint| {
        let (mut pattern, mut segments) = (endpoint.path.split('/'), path.split('/'));
        loop {
            match (pattern.next(), segments.next()) {
                (None, None) => return true,
                (Some(expected), Some(segment)) => {
                    let fits =
                        if expected.starts_with('{') { !segment.is_empty() } else { expected == segment };
                    if !fits {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allow_header_names_every_method() {
        for endpoint in ENDPOINTS {
            let methods: Vec<_> = endpoint.routes().map(|(method, _)| method.to_string()).collect();
            assert_eq!(endpoint.allow, methods.join(", "), "{}", endpoint.path);
        }
    }

    #[test]
    fn a_path_is_known_as_it_is_and_not_otherwise() {
        assert!(exists("/api/v1/trash/"));
        assert!(exists("/api/v1/auth/users/67a99413dc65a0145ee73981"));
        assert!(!exists("/api/v1/trash"));
        assert!(!exists("/api/v1/auth/users/"));
        assert!(!exists("//evil.example/health"));
    }
}
