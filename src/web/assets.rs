//! The stylesheet, the script and the logo: named by their content, compressed once, cached for a year.

use std::{fs, io::Write, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
    web::{Bytes, Data, Path},
};
use flate2::{Compression, write::GzEncoder};

use crate::{
    config::Site,
    error::{Error, Result},
    secret,
};

const STYLESHEET: &str = include_str!("../../static/vestibule.css");
const SCRIPT: &str = include_str!("../../static/vestibule.js");
const PASSKEYS: &str = include_str!("../../static/passkeys.js");
const ICON: &str = include_str!("../../static/vestibule.svg");
// The icon's own colour, where the settings name no other.
const ICON_ACCENT: &str = "#13695f";

/// What is served below `/static/`, and where it is.
#[derive(Debug)]
pub(crate) struct Assets {
    /// The name of the house.
    pub brand: Arc<str>,
    /// The site's address.
    pub base_url: Arc<str>,
    /// The stylesheet's address.
    pub stylesheet: Arc<str>,
    /// The script's address.
    pub script: Arc<str>,
    /// The address of the script for passkeys.
    pub passkeys: Arc<str>,
    /// The address of the icon in a browser's tab: the logo, where there is one.
    pub icon: Arc<str>,
    /// The logo's address.
    pub logo: Option<Arc<str>>,
    files: Vec<File>,
}

#[derive(Debug)]
struct File {
    address: Arc<str>,
    content_type: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

impl Assets {
    /// Reads what the settings name, and names everything by its content.
    pub(crate) fn load(site: &Site) -> Result<Self> {
        let mut style = STYLESHEET.to_owned();
        if let Some(accent) = &site.accent {
            style += &format!("\n:root {{ --accent: {accent}; }}\n");
        }
        if let Some(path) = &site.stylesheet {
            style += &fs::read_to_string(path).map_err(Error::internal)?;
        }
        let icon = ICON.replace(ICON_ACCENT, site.accent.as_deref().unwrap_or(ICON_ACCENT));
        let mut files = vec![
            File::new("vestibule", "css", "text/css; charset=utf-8", style.into_bytes())?,
            File::new("vestibule", "js", "text/javascript; charset=utf-8", SCRIPT.as_bytes().to_vec())?,
            File::new("vestibule", "svg", "image/svg+xml", icon.into_bytes())?,
            File::new("passkeys", "js", "text/javascript; charset=utf-8", PASSKEYS.as_bytes().to_vec())?,
        ];
        if let Some(path) = &site.logo {
            let is_svg = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("svg"));
            let (ending, kind) = if is_svg { ("svg", "image/svg+xml") } else { ("png", "image/png") };
            files.push(File::new("logo", ending, kind, fs::read(path).map_err(Error::internal)?)?);
        }
        let address = |index: usize| files.get(index).map(|file| Arc::clone(&file.address));
        Ok(Self {
            brand: site.name.as_str().into(),
            base_url: site.origin().into(),
            stylesheet: address(0).unwrap_or_default(),
            script: address(1).unwrap_or_default(),
            passkeys: address(3).unwrap_or_default(),
            icon: address(4).or(address(2)).unwrap_or_default(),
            logo: address(4),
            files,
        })
    }
}

impl File {
    fn new(name: &str, ending: &str, content_type: &'static str, plain: Vec<u8>) -> Result<Self> {
        let mark = secret::digest(&String::from_utf8_lossy(&plain));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&plain).map_err(Error::internal)?;
        Ok(Self {
            address: format!("/static/{name}.{}.{ending}", mark.get(..12).unwrap_or(&mark)).into(),
            content_type,
            gzip: encoder.finish().map_err(Error::internal)?.into(),
            plain: plain.into(),
        })
    }
}

/// `GET /static/{name}`.
pub(crate) async fn serve(
    name: Path<String>,
    assets: Data<Assets>,
    req: HttpRequest,
) -> Result<HttpResponse> {
    let address = format!("/static/{name}");
    let file = assets.files.iter().find(|file| *file.address == *address).ok_or(Error::NotFound)?;
    let takes_gzip = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("gzip"));
    let is_gzip = req.headers().get(header::ACCEPT_ENCODING).is_some_and(takes_gzip);
    let mut answer = HttpResponse::Ok();
    answer
        .content_type(file.content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((header::VARY, "accept-encoding"));
    if is_gzip {
        answer.insert_header((header::CONTENT_ENCODING, "gzip"));
        return Ok(answer.body(file.gzip.clone()));
    }
    Ok(answer.body(file.plain.clone()))
}
