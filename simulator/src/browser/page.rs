//! The page's files, which are built in.

/// A file of the page by its path, with its content type.
pub(crate) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    Some(match path {
        "/echo" => ("text/html; charset=utf-8", include_str!("page/echo.html")),
        "/echo.js" => (
            "text/javascript; charset=utf-8",
            include_str!("page/echo.js"),
        ),
        "/echo.css" => ("text/css; charset=utf-8", include_str!("page/echo.css")),
        _ => return None,
    })
}
