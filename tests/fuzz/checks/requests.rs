//! One request of whatever bytes to one of many doors. Its answer is one that the face gives; what was asked for has
//! come about, and reads back in every dialect; and where that is promised, the same again changes nothing.

use serde_json::Value;

use super::{
    doors::{Door, Face},
    stage::{Request, Stage},
    wishes::Wish,
};

const MEDIA_TYPES: [&str; 8] = [
    "application/json",
    "",
    "text/csv",
    "multipart/form-data; boundary=x",
    "application/json; charset=utf-8",
    "text/vcard",
    "application/x-ndjson",
    "text/plain",
];

/// The first byte chooses the door, the second the media type; up to the line's end follows the tail, then the body.
pub fn request(stage: &mut Stage, doors: &[Door], bytes: &[u8]) {
    let [door, media_type, rest @ ..] = bytes else { return };
    stage.freshen(2_000);
    let (face, door) = doors[usize::from(door.wrapping_sub(b'0')) % doors.len()];
    let media_type = MEDIA_TYPES[usize::from(media_type.wrapping_sub(b'0')) % MEDIA_TYPES.len()];
    let line_end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (tail, body) = (&rest[..line_end], rest.get(line_end + 1..).unwrap_or_default());
    let (tail, body) = (stage.filled(tail), stage.filled(body));
    let again = door.starts_with('=') || door.starts_with('@') && is_dated(&body);
    let door = door.trim_start_matches(['=', '@']);
    let (method, place) = door.split_once(' ').expect("a door has a method and a path");
    let (path, header) = place.split_once(' ').unwrap_or((place, ""));
    // A semicolon in the path would be a parameter to some; a question mark begins the query.
    let wish = Wish::of(face, path, &tail, &body);
    let path = path.replace("{tail}", &encoded(&tail, path.contains('?')));
    let header = header.replace("{tail}", &in_header(&tail));
    let request = Request { header: &header, media_type, body: &body, ..Request::new(method, &path) };
    let answer = stage.ask(&request);
    face.check(&answer);
    let is_done = (200..300).contains(&answer.status);
    if !is_done || method == "GET" {
        return;
    }
    if let Some(wish) = wish {
        wish.is_fulfilled(stage);
    }
    for contact in stage.news() {
        reads_back_everywhere(stage, &contact);
    }
    if again {
        let answer = stage.ask(&request);
        face.check(&answer);
        assert!((200..300).contains(&answer.status), "{method} {path} again: {} {}", answer.status, answer.text());
        let news = stage.news();
        assert!(news.is_empty(), "{method} {path} again changes {news:?}");
    }
}

/// Whether every observation says when it was made. One that does not is made anew when it is sent again.
fn is_dated(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let rows = body["observations"].as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().all(|row| row["at"].is_i64() || row["at"].is_string())
}

fn reads_back_everywhere(stage: &mut Stage, contact: &Value) {
    let text = |place: &str| contact.pointer(place).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, uuid, number) = (text("/chat_id"), text("/uuid"), &contact["id"]);
    let shown = read(stage, Face::Native, &format!("/v1/instances/{{i}}/contacts/{id}"));
    assert_eq!(shown, *contact, "the feed and the contact tell the same");
    let saved = |part: &str| contact["names"]["saved"][part].clone();
    for (face, path, name) in [
        (Face::Wawp, format!("/v2/contacts/{id}"), "/name"),
        (Face::Waha, format!("/api/{{i}}/contacts/{id}"), "/name"),
        (Face::Hypersender, format!("/api/whatsapp/v2/{{i}}/contacts/get?chat_id={id}"), "/data/name"),
    ] {
        let shown = read(stage, face, &path);
        assert_eq!(shown.pointer(name), Some(&saved("full")), "{face:?} {shown}");
    }
    let shown = read(stage, Face::Wacr, &format!("/contacts/{number}"));
    assert_eq!([&shown["data"]["firstname"], &shown["data"]["lastname"]], [&saved("first"), &saved("last")], "{shown}");
    let shown = read(stage, Face::SuperWaba, &format!("/api/whatsapp/contacts/contact_{uuid}"));
    if !saved("full").is_null() {
        assert_eq!(shown["data"]["name"], saved("full"), "{shown}");
    }
}

fn read(stage: &mut Stage, face: Face, path: &str) -> Value {
    let answer = stage.ask(&Request::new("GET", path));
    face.check(&answer);
    assert_eq!(answer.status, 200, "{face:?} {path}: {}", answer.text());
    answer.json()
}

/// As it may stand in a request's target: what may, stands as it is.
pub fn encoded(bytes: &[u8], in_query: bool) -> String {
    let stands = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte) && (in_query || byte != b'[');
    bytes.iter().fold(String::new(), |text, byte| match *byte {
        byte if stands(byte) => text + char::from(byte).encode_utf8(&mut [0; 4]),
        byte => text + &format!("%{byte:02X}"),
    })
}

/// As it may stand in a header: no control characters but the tab.
fn in_header(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
