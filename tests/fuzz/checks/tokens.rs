//! Cursors of lists and tokens of the feed: any text is refused cleanly or leads to a page, and what is made is taken back.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use wabook::{book::Cursor, sync::feed::Token};

use super::{
    doors::Face,
    requests::encoded,
    stage::{Request, Stage},
};

const SORTS: [&str; 6] = ["created", "-created", "updated", "name", "-name", "chat_id"];

/// The first byte says what the rest is: `0` a token, `1` to `6` what a cursor of each sort holds, else the whole query.
pub fn tokens(stage: &mut Stage, bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(token.to_string().parse(), Ok(token));
    }
    if let Some(cursor) = Cursor::from_text(&text) {
        assert_eq!(Cursor::from_text(&cursor.to_text()).as_ref(), Some(&cursor));
    }
    stage.freshen(20_000);
    let (list, next) = match kind {
        b'0' => ("changes?wait=0&limit=3", "since"),
        _ => ("contacts?limit=3", "cursor"),
    };
    let query = match kind {
        b'0' => format!("&since={}", encoded(stage.filled(rest).as_slice(), true)),
        b'1'..=b'6' => {
            let (sort, cursor) = (SORTS[usize::from(kind - b'1')], BASE64_URL_SAFE_NO_PAD.encode(rest));
            if let Some(cursor) = Cursor::from_text(&cursor) {
                assert_eq!(Cursor::from_text(&cursor.to_text()), Some(cursor));
            }
            format!("&sort={sort}&cursor={sort}.{cursor}")
        }
        _ => format!("&{}", encoded(rest, true)),
    };
    let page = page(stage, &format!("{list}{query}"));
    // What we say ourselves is taken.
    if let Some(made) = page["next"].as_str() {
        let sort = made.rsplit_once('.').map(|(sort, _)| format!("&sort={sort}")).unwrap_or_default();
        let on = self::page(stage, &format!("{list}{sort}&{next}={made}"));
        assert!(on.get("next").is_some(), "{made} leads on: {on}");
    }
}

fn page(stage: &mut Stage, list: &str) -> Value {
    let answer = stage.ask(&Request::new("GET", &format!("/v1/instances/{{i}}/{list}")));
    assert!(matches!(answer.status, 200 | 400 | 410), "{} {list}", answer.status);
    Face::Native.check(&answer);
    answer.json()
}
