//! Many contacts at once through SuperWABA's room: the vendor's examples, JSON, CSV and forms with a file, and the ten
//! thousand rows, each of which reads back through Wawp.

use std::collections::BTreeMap;

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    shared::rows,
    superwaba_story::{Story, data, failure, fixture},
    support::{TestApp, text, told},
};

/// What was imported and skipped, and why.
fn summary(report: &Value) -> (u64, u64, Vec<(u64, &str, &str)>) {
    let number = |key: &str| report[key].as_u64().unwrap();
    let errors = report["errors"].as_array().unwrap().iter().map(|error| {
        assert_eq!(error.as_object().unwrap().len(), 3, "{error}");
        (error["index"].as_u64().unwrap(), error["phone"].as_str().unwrap(), error["error"].as_str().unwrap())
    });
    assert_eq!(report["contacts"].as_array().unwrap().len() as u64, number("imported"));
    (number("imported"), number("skipped"), errors.collect())
}

/// The example with the ids that were drawn.
fn with_ids_of(found: &Value, mut example: Value) -> Value {
    for (contact, found) in
        example["contacts"].as_array_mut().unwrap().iter_mut().zip(found["contacts"].as_array().unwrap())
    {
        assert!(text(&found["id"]).starts_with("contact_"));
        contact["id"] = found["id"].clone();
    }
    example
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_imports() {
    let story = Story::begin().await;
    let report = story.import(&fixture("bulk.request")).await;
    assert_eq!(report, with_ids_of(&report, fixture("bulk.response")["data"].clone()));
    assert_eq!(story.app.head(&story.tenant).await, (3, 3));
    let third = story.show(&text(&report["contacts"][2]["id"])).await;
    assert_eq!((&third["name"], &third["email"]), (&json!("Contact Three"), &json!("three@example.com")));
    assert_eq!((&third["source"], &third["tags"]), (&json!("api"), &json!([])));
    let names = ["One", "Two", "Three"].map(|number| json!(format!("Contact {number}")));
    assert_eq!(story.names_in_wawp().await.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), names);

    let story = Story { tenant: story.app.instance().await, app: story.app };
    story.create(json!({"userNumber": "+971502222222", "userName": "Already There"})).await;
    let report = story.import(&fixture("bulk.request")).await;
    assert_eq!(report, with_ids_of(&report, fixture("bulk-partial.response")["data"].clone()));
    assert_eq!(story.app.name(&story.tenant, "971502222222").await, "Already There");
    let before = story.app.head(&story.tenant).await;
    let again = story.import(&fixture("bulk.request")).await;
    assert_eq!((&again["imported"], &again["skipped"]), (&json!(0), &json!(3)));
    assert_eq!(story.app.head(&story.tenant).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_wrong_is_named_and_keeps_nobody_out() {
    let story = Story::begin().await;
    let report = story
        .import(&json!({"contacts": [
            {"userNumber": "+4930000", "userName": "First"},
            {"userNumber": "4930000@c.us", "userName": "The same again"},
            {"userName": "Nobody"},
            {"userNumber": 4930001},
            {"userNumber": "no number"},
            {"userNumber": "999888777666@lid"},
            {"userNumber": "4930002", "userName": "a\nb"},
            {"userNumber": "4930003", "email": "not an e-mail"},
            {"userNumber": "4930004", "countryCode": "GER"},
            {"userNumber": "4930005", "tags": "vip"},
            {"userNumber": "4930006", "params": []},
            {"userNumber": "120363025246125486@g.us"},
            ["4930007", "By position"],
            "4930008",
            null,
            7,
            {"userNumber": "4930009", "userName": "Last", "unknown": {"deep": [[]]}},
        ]}))
        .await;
    let (imported, skipped, errors) = summary(&report);
    assert_eq!((imported, skipped), (2, 15));
    let required = "Phone number (userNumber) is required";
    let row = "The row must be an object in which no field stands twice.";
    for ((index, phone, why), expected) in errors.into_iter().zip([
        (1, "+4930000", "Contact already exists"),
        (2, "", required),
        (3, "", "userNumber must be a string"),
        (4, "no number", "userNumber is not a number"),
        (5, "999888777666@lid", "userNumber must be a phone number, not a LID"),
        (6, "+4930002", "userName must not contain control characters"),
        (7, "+4930003", "email must be an e-mail address"),
        (8, "+4930004", "countryCode must be a country code of two letters"),
        (9, "+4930005", "tags must be an array"),
        (10, "+4930006", "params must be an object"),
        (11, "120363025246125486@g.us", "userNumber names a group"),
        (12, "", row),
        (13, "", row),
        (14, "", row),
        (15, "", row),
    ]) {
        assert_eq!((index, phone), (expected.0, expected.1));
        assert!(why.starts_with(expected.2), "{index}: {why}");
    }
    let names = [("4930000@c.us".to_owned(), json!("First")), ("4930009@c.us".to_owned(), json!("Last"))];
    assert_eq!(story.names_in_wawp().await, names);
    assert_eq!(story.app.head(&story.tenant).await, (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rows_are_no_error() {
    let story = Story::begin().await;
    let nothing = json!({"imported": 0, "skipped": 0, "errors": [], "contacts": []});
    assert_eq!(story.import(&json!({"contacts": []})).await, nothing);
    assert_eq!(story.import_text("text/csv", "phone,name\n").await, nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_csv() {
    let story = Story::begin().await;
    let file = "\u{feff}userNumber,User Name,e-mail,country_code,tags,Loyalty Tier,,note\r\n\
        +4930001,\"Smith, Bob\",bob@example.com,de,\"vip; lead,vip\",gold,ignored,\"two\r\nlines \"\"quoted\"\"\"\r\n\
        \r\n\
        4930002,Élodie 🌸,,,,,,\r\n\
        4930003\r\n\
        ,Nobody,,,,,,\r\n\
        4930004,\"a\nb\",,,,,,\r\n\
        4930005,Too,,,,,,,many\r\n\
        4930001,Again,,,,,,\r\n\
        4930006,Last";
    let report = story.import_text("text/csv; charset=utf-8", file).await;
    let (imported, skipped, errors) = summary(&report);
    assert_eq!((imported, skipped), (4, 4));
    assert_eq!(
        errors,
        [
            (3, "", "Phone number (userNumber) is required"),
            (4, "+4930004", "userName must not contain control characters"),
            (5, "", "The row has more cells than the header."),
            (6, "+4930001", "Contact already exists"),
        ]
    );
    let bob = story.show(&text(&report["contacts"][0]["id"])).await;
    assert_eq!((&bob["name"], &bob["email"]), (&json!("Smith, Bob"), &json!("bob@example.com")));
    assert_eq!((&bob["countryCode"], &bob["tags"]), (&json!("DE"), &json!(["vip", "lead"])));
    assert_eq!(bob["params"], json!({"Loyalty Tier": "gold", "note": "two\r\nlines \"quoted\""}));
    let names: Vec<_> = story.names_in_wawp().await.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, [json!("Smith, Bob"), json!("Élodie 🌸"), Value::Null, json!("Last")]);
}

#[rstest]
#[case::the_other_names("phone,name\n4930001,Bob\n")]
#[case::in_capitals("PHONE,NAME\n4930001,Bob\n")]
#[case::in_another_order("name,phone\nBob,4930001\n")]
#[case::with_semicolons("phone;name\n4930001;Bob\n")]
#[case::with_old_line_ends("phone,name\r4930001,Bob\r")]
#[case::quoted("\"phone\",\"name\"\n\"4930001\",\"Bob\"")]
#[tokio::test(flavor = "multi_thread")]
async fn csv_as_it_is_written_elsewhere(#[case] file: &'static str) {
    let story = Story::begin().await;
    let report = story.import_text("text/csv", file).await;
    assert_eq!(summary(&report), (1, 0, vec![]));
    assert_eq!(story.app.name(&story.tenant, "4930001").await, "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_csv_that_is_no_utf8_is_named() {
    let story = Story::begin().await;
    let report = story.import_text("text/csv", &b"phone,name\n4930001,M\xfcller\n4930002,Bob\n"[..]).await;
    assert_eq!(summary(&report), (1, 1, vec![(0, "", "The row is not UTF-8.")]));
}

#[rstest]
#[case::no_phone(b"name,email\nBob,b@example.com\n", "Phone number (userNumber) is required")]
#[case::nothing(b"", "Phone number (userNumber) is required")]
#[case::no_header(b"4930001,Bob\n", "Phone number (userNumber) is required")]
#[case::phone_twice(b"phone,userNumber\n1,2\n", "same meaning")]
#[case::a_param_twice(b"phone,tier,tier\n1,2,3\n", "same meaning")]
#[case::a_quote_that_is_never_closed(b"phone,name\n4930001,\"Bob\n4930002,Ann\n", "quotation mark")]
#[case::a_header_that_is_no_utf8(b"phone,\xff\n4930001,Bob\n", "UTF-8")]
#[case::utf16(b"\xff\xfep\0h\0o\0n\0e\0\n\0", "UTF-8")]
#[tokio::test(flavor = "multi_thread")]
async fn csv_that_is_refused_whole(#[case] file: &'static [u8], #[case] why: &str) {
    let story = Story::begin().await;
    let request = story.request(Method::POST, "/contacts/bulk").header("content-type", "text/csv").body(file);
    let said = failure(request.send().await.unwrap(), 400).await;
    assert!(said.contains(why), "{said}");
    assert_eq!(story.app.head(&story.tenant).await, (0, 0));
}

const FORM: &str = "multipart/form-data; boundary=--zebulon";

/// A form with a text field and this part.
fn form(head: &str, file: &str) -> String {
    format!(
        "----zebulon\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nphone\r\n\
         ----zebulon\r\n{head}\r\n\r\n{file}\r\n----zebulon--\r\n"
    )
}

#[rstest]
#[case::as_browsers_send_it(
    "Content-Disposition: form-data; name=\"upload\"; filename=\"Kontakte.csv\"\r\nContent-Type: text/csv"
)]
#[case::as_windows_sends_it(
    "Content-Disposition: form-data; name=\"x\"; filename=\"c.csv\"\r\nContent-Type: application/vnd.ms-excel"
)]
#[case::by_its_name_alone("Content-Disposition: form-data; name=\"file\"")]
#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_a_file_of_csv(#[case] head: &str) {
    let story = Story::begin().await;
    let report = story.import_text(FORM, form(head, "\u{feff}phone,name\r\n4930001,\"Bob\"\r\n4930001,Again")).await;
    assert_eq!(summary(&report), (1, 1, vec![(1, "+4930001", "Contact already exists")]));
    assert_eq!(story.app.name(&story.tenant, "4930001").await, "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_with_a_file_of_json() {
    let story = Story::begin().await;
    let head = "Content-Disposition: form-data; name=\"upload\"; filename=\"c.json\"\r\nContent-Type: application/json";
    let report = story.import_text(FORM, form(head, &fixture("bulk.request").to_string())).await;
    assert_eq!(report["imported"], 3);
}

#[rstest]
#[case::no_file(FORM, form("Content-Disposition: form-data; name=\"x\"", "phone\n4930001"), "file is required")]
#[case::nothing(FORM, String::new(), "form is not well formed")]
#[case::cut_off(FORM, form("Content-Disposition: form-data; name=\"file\"", "phone\n4930001").replace("----zebulon--", ""), "form is not well formed")]
#[case::no_boundary(
    "multipart/form-data",
    form("Content-Disposition: form-data; name=\"file\"", "phone\n4930001"),
    "form is not well formed"
)]
#[case::another_boundary(
    "multipart/form-data; boundary=x",
    form("Content-Disposition: form-data; name=\"file\"", "phone\n4930001"),
    "form is not well formed"
)]
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_refused(#[case] media_type: &str, #[case] body: String, #[case] why: &str) {
    let story = Story::begin().await;
    let request = story.request(Method::POST, "/contacts/bulk").header("content-type", media_type).body(body);
    let said = failure(request.send().await.unwrap(), 400).await;
    assert!(said.contains(why), "{said}");
    assert_eq!(story.app.head(&story.tenant).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_are_taken_are_refused_whole() {
    let story = Story::begin().await;
    let row = |number: usize| json!({"userNumber": format!("4930{number:05}")});
    let too_many = json!({"contacts": (0..10_001).map(row).collect::<Vec<_>>()});
    let said = failure(story.send(Method::POST, "/contacts/bulk", &too_many).await, 413).await;
    assert!(said.contains("10000"), "{said}");
    let csv = (0..10_001).fold("phone\n".to_owned(), |csv, number| csv + &format!("4930{number:05}\n"));
    let request = story.request(Method::POST, "/contacts/bulk").header("content-type", "text/csv").body(csv);
    failure(request.send().await.unwrap(), 413).await;
    assert_eq!(story.app.head(&story.tenant).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_are_settings() {
    let app = TestApp::start_with(TempDir::new().unwrap(), |config| {
        (config.limits.bulk_rows, config.limits.bulk_body) = (2, 2 << 20);
    })
    .await;
    let tenant = app.instance().await;
    let story = Story { app, tenant };
    failure(story.send(Method::POST, "/contacts/bulk", &fixture("bulk.request")).await, 413).await;
    let mut two = fixture("bulk.request");
    two["contacts"].as_array_mut().unwrap().pop();
    // Larger than other routes take, and then larger than this one does.
    two["padding"] = " ".repeat(3 << 19).into();
    assert_eq!(story.import(&two).await["imported"], 2);
    two["padding"] = " ".repeat(2 << 20).into();
    let said = failure(story.send(Method::POST, "/contacts/bulk", &two).await, 413).await;
    assert!(said.contains("2097152"), "{said}");
}

/// The good rows of a phone, whose whole name is one that this dialect can write.
fn good_rows() -> Vec<rows::Row> {
    let mut rows = rows::all();
    rows.retain(|row| {
        row.is_good()
            && row.contact.as_ref().is_some_and(|contact| contact.ends_with("@c.us"))
            && row.name().chars().count() <= 255
    });
    rows
}

#[rstest]
#[case::json("application/json")]
#[case::csv("text/csv")]
#[case::form(FORM)]
#[tokio::test(flavor = "multi_thread")]
async fn the_ten_thousand_rows_read_back_through_wawp(#[case] media_type: &str) {
    let (story, rows) = (Story::begin().await, good_rows());
    assert!(rows.len() > 6_000, "{}", rows.len());
    let mut expected = BTreeMap::new();
    for row in &rows {
        let name = Some(row.name()).filter(|name| !name.is_empty());
        expected.entry(row.contact.clone().unwrap()).or_insert(json!(name));
    }
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["userNumber", "userName", "tags"]).unwrap();
    for row in &rows {
        csv.write_record([&row.chat_id, &row.name(), "imported"]).unwrap();
    }
    let csv = String::from_utf8(csv.into_inner().unwrap()).unwrap();
    let report = match media_type {
        "text/csv" => story.import_text(media_type, csv).await,
        FORM => story.import_text(media_type, form("Content-Disposition: form-data; name=\"file\"", &csv)).await,
        _ => {
            let row =
                |row: &rows::Row| json!({"userNumber": row.chat_id, "userName": row.name(), "tags": ["imported"]});
            story.import(&json!({"contacts": rows.iter().map(row).collect::<Vec<_>>()})).await
        }
    };
    let (imported, skipped, errors) = summary(&report);
    assert_eq!((imported, imported + skipped), (expected.len() as u64, rows.len() as u64));
    assert!(errors.iter().all(|(_, _, why)| *why == "Contact already exists"));
    assert_eq!(story.names_in_wawp().await.into_iter().collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(story.app.head(&story.tenant).await, (imported, imported));

    let ids: std::collections::BTreeSet<_> =
        report["contacts"].as_array().unwrap().iter().map(|c| text(&c["id"])).collect();
    assert_eq!(ids.len() as u64, imported);
    let last = report["contacts"].as_array().unwrap().last().unwrap();
    let shown = story.show(&text(&last["id"])).await;
    assert_eq!(
        story.show(&text(&shown["vendorContactId"])).await["phone"],
        last["phone"],
        "drawn in one moment, and yet apart"
    );
    let page = story.list(&[("limit", "100"), ("page", "3"), ("sortBy", "name"), ("search", "a")]).await;
    assert_eq!(page["contacts"].as_array().unwrap().len(), 100);
    let checked = story.app.admin(Method::POST, &format!("/v1/instances/{}/check", story.tenant.id), None).await;
    assert_eq!(told(checked, 200).await["problems"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_side_by_side_make_each_contact_once() {
    let story = Story::begin().await;
    let rows: Vec<_> = (0..500).map(|number| json!({"userNumber": format!("4930{number:03}")})).collect();
    let body = json!({"contacts": rows});
    let requests: Vec<_> = (0..4)
        .map(|_| {
            let request = story.request(Method::POST, "/contacts/bulk").json(&body);
            tokio::spawn(async move { data(request.send().await.unwrap(), 200).await })
        })
        .collect();
    let mut imported = 0;
    for request in requests {
        let report = request.await.unwrap();
        let (made, skipped, _) = summary(&report);
        assert_eq!(made + skipped, 500);
        imported += made;
    }
    assert_eq!((imported, story.app.head(&story.tenant).await), (500, (500, 500)));
}
