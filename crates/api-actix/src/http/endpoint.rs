use actix_web::Route;
use actix_web::http::Method;

/// Makes the route of one method to its handler.
pub(super) type MakeRoute = fn() -> Route;

/// A path, and what may be done there.
pub(super) struct Endpoint {
    /// A part in braces is one segment, whatever it is.
    pub(super) path: String,
    /// The methods, as the `Allow` header names them.
    pub(super) allow: String,
    /// The methods, each with the route that answers it.
    pub(super) methods: Vec<(Method, MakeRoute)>,
}

impl Endpoint {
    /// What answers GET answers HEAD too (RFC 9110, 9.1), and the server leaves the body out.
    pub(super) fn new(path: &str, methods: impl IntoIterator<Item = (Method, MakeRoute)>) -> Self {
        let methods = methods.into_iter().flat_map(|(method, route)| {
            let head = (method == Method::GET).then_some(Method::HEAD);
            [Some(method), head].into_iter().flatten().map(move |method| (method, route))
        });
        let methods: Vec<_> = methods.collect();
        let allow = methods.iter().map(|(method, _)| method.as_str()).collect::<Vec<_>>().join(", ");
        Self { path: path.to_owned(), allow, methods }
    }

    /// Whether that path, without escapes, is one of its.
    pub(super) fn has(&self, path: &str) -> bool {
        let (mut pattern, mut segments) = (self.path.split('/'), path.split('/'));
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
    }
}
