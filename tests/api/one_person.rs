//! One person in every tongue: after an observed mapping the phone, the LID and the numbers of the contact that gave way
//! all answer as the one who is left, to reads and to writes; and whoever has only a LID has no phone, in no tongue. Joins
//! `matrix`: a dialect that names contacts has its lines in `DOORS`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Tenant, TestApp};

const PHONE: &str = "15551234567";
const LID: &str = "999888777";

/// A way of naming a contact in one tongue: its path, and where in the answer the saved name and the phone are. `{i}` is the
/// instance; `{id}` a chat id, `{digits}` its digits, `{number}` and `{uuid}` what the book gave a contact, `{vendor}` the
/// first twenty-four digits of the UUID.
struct Door {
    tongue: &'static str,
    path: &'static str,
    name: &'static [&'static str],
    /// None: the tongue does not tell it.
    phone: Option<&'static str>,
}

const fn door(
    tongue: &'static str,
    path: &'static str,
    name: &'static [&'static str],
    phone: Option<&'static str>,
) -> Door {
    Door { tongue, path, name, phone }
}

const DOORS: [Door; 14] = [
    door("wawp", "/v2/contacts/{id}", &["/name"], Some("/number")),
    door("wawp", "/v2/contacts?contactId={id}", &["/name"], Some("/number")),
    door("waha", "/api/{i}/contacts/{id}", &["/name"], Some("/number")),
    door("waha", "/api/contacts?contactId={id}&session={i}", &["/name"], Some("/number")),
    door("hypersender", "/api/whatsapp/v2/{i}/contacts/get?chat_id={id}", &["/data/name"], None),
    door("v1", "/v1/instances/{i}/contacts/{id}", &["/names/saved/full"], Some("/phone")),
    door("v1", "/v1/instances/{i}/contacts/{id}/names", &["/saved/full"], Some("/phone")),
    door(
        "v1",
        "/v1/instances/{i}/contacts?search={digits}",
        &["/contacts/0/names/saved/full"],
        Some("/contacts/0/phone"),
    ),
    door("superwaba", "/api/whatsapp/contacts/contact_{uuid}", &["/data/name"], Some("/data/phone")),
    door("superwaba", "/api/whatsapp/contacts/{uuid}", &["/data/name"], Some("/data/phone")),
    door("superwaba", "/api/whatsapp/contacts/{vendor}", &["/data/name"], Some("/data/phone")),
    door("wacr", "/api/v2/contacts/{number}", &["/data/firstname", "/data/lastname"], Some("/data/phone")),
    door("wacr", "/contacts/{number}", &["/data/firstname", "/data/lastname"], Some("/data/phone")),
    door("wacr", "/api/v2/contacts?search=Lid", &["/data/0/firstname", "/data/0/lastname"], Some("/data/0/phone")),
];

struct Stage {
    app: TestApp,
    tenant: Tenant,
}

impl Stage {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let tenant = app.instance().await;
        Self { app, tenant }
    }

    fn fill(&self, template: &str, id: &str, contact: &Value) -> String {
        let uuid = contact["uuid"].as_str().unwrap();
        template
            .replace("{i}", &self.tenant.id)
            .replace("{id}", id)
            .replace("{digits}", id.split('@').next().unwrap())
            .replace("{number}", &contact["id"].to_string())
            .replace("{uuid}", uuid)
            .replace("{vendor}", &uuid.replace('-', "")[..24])
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let token = &self.tenant.token;
        let request = self.app.request(method, path).bearer_auth(token).header("X-Api-Key", token);
        let request = request.header("x-org-id", &self.tenant.id);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    /// Through every door, under every id of this contact.
    async fn assert_everywhere(&self, ids: &[&str], contact: &Value, name: &str, phone: Option<&str>) {
        for door in DOORS {
            for id in ids {
                let path = self.fill(door.path, id, contact);
                let (status, answer) = self.send(Method::GET, &path, None).await;
                assert_eq!(status, 200, "{}: {path} answered {answer}", door.tongue);
                let parts = door.name.iter().filter_map(|place| answer.pointer(place)?.as_str());
                assert_eq!(parts.collect::<Vec<_>>().join(" "), name, "{}: {path} answered {answer}", door.tongue);
                if let Some(place) = door.phone {
                    let told = answer.pointer(place).unwrap_or_else(|| panic!("{path}: no {place} in {answer}"));
                    let told = told.as_str().unwrap_or_default().trim_start_matches('+');
                    assert_eq!(told, phone.unwrap_or_default(), "{}: {path}", door.tongue);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_only_a_lid_has_no_phone_in_any_tongue() {
    let stage = Stage::new().await;
    let id = format!("{LID}@lid");
    stage.app.save(&stage.tenant, &id, "By", "Lid").await;
    let contact = stage.app.native(&stage.tenant, &id).await;
    stage.assert_everywhere(&[&id], &contact, "By Lid", None).await;
    for (path, place) in [("/v2/lids/{id}", "/number"), ("/api/{i}/lids/{id}", "/pn")] {
        let (status, answer) = stage.send(Method::GET, &stage.fill(path, &id, &contact), None).await;
        assert_eq!((status, answer.pointer(place)), (200, Some(&Value::Null)), "{path}: {answer}");
    }
    // In lists too, and the LID is nobody's number.
    for path in [
        "/v2/contacts/all",
        "/api/contacts/all?session={i}",
        "/api/whatsapp/contacts",
        "/api/v2/contacts",
        "/api/whatsapp/v2/{i}/contacts/get-all",
    ] {
        let (status, answer) = stage.send(Method::GET, &stage.fill(path, &id, &contact), None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let text = answer.to_string();
        for invented in [format!("\"{LID}\""), format!("+{LID}"), format!("{LID}@c.us")] {
            assert!(!text.contains(&invented), "{path}: {answer}");
        }
    }
    let by_phone = format!("/v1/instances/{}/contacts/{LID}", stage.tenant.id);
    assert_eq!(stage.send(Method::GET, &by_phone, None).await.0, 404, "its digits as a phone are somebody else");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_observed_mapping_both_ids_and_the_losers_numbers_answer_as_one_in_every_tongue() {
    let stage = Stage::new().await;
    let (app, tenant) = (&stage.app, &stage.tenant);
    let ids = [format!("{PHONE}@c.us"), format!("{LID}@lid")];
    let ids = [ids[0].as_str(), ids[1].as_str()];
    app.save(tenant, ids[0], "By", "Phone").await;
    app.save(tenant, ids[1], "By", "Lid").await;
    let survivor = app.native(tenant, ids[0]).await;
    let loser = app.native(tenant, ids[1]).await;
    assert_ne!(survivor["uuid"], loser["uuid"]);
    let told = app.observe(tenant, json!([{"chat_id": ids[1], "phone": PHONE}])).await;
    assert_eq!((&told[0]["change"], &told[0]["chat_id"]), (&json!("merged"), &json!(ids[0])));

    for numbers in [&survivor, &loser] {
        stage.assert_everywhere(&ids, numbers, "By Lid", Some(PHONE)).await;
    }
    // Whoever asks by an old number is told the new one.
    for (path, place, own) in [
        ("/api/v2/contacts/{number}", "/data/id", survivor["id"].clone()),
        (
            "/api/whatsapp/contacts/contact_{uuid}",
            "/data/id",
            json!(format!("contact_{}", survivor["uuid"].as_str().unwrap())),
        ),
    ] {
        let (_, answer) = stage.send(Method::GET, &stage.fill(path, ids[1], &loser), None).await;
        assert_eq!(answer.pointer(place), Some(&own), "{path}");
    }
    for (path, place, other) in [
        ("/v2/lids/{id}", "/number", PHONE.to_owned()),
        ("/v2/lids/pn/15551234567", "/lid", ids[1].to_owned()),
        ("/api/{i}/lids/{id}", "/pn", ids[0].to_owned()),
        ("/api/{i}/lids/pn/15551234567", "/lid", ids[1].to_owned()),
    ] {
        let (_, answer) = stage.send(Method::GET, &stage.fill(path, ids[1], &loser), None).await;
        assert_eq!(answer.pointer(place), Some(&json!(other)), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_any_of_a_persons_ids_and_numbers_writes_the_one_person() {
    let stage = Stage::new().await;
    let (app, tenant) = (&stage.app, &stage.tenant);
    let lid = format!("{LID}@lid");
    app.save(tenant, PHONE, "By", "Phone").await;
    app.save(tenant, &lid, "By", "Lid").await;
    let loser = app.native(tenant, &lid).await;
    app.observe(tenant, json!([{"chat_id": lid, "phone": PHONE}])).await;
    let writes = [
        ("PUT", "/v2/contacts/{id}", json!({"firstName": "Lid 1", "lastName": ""})),
        (
            "POST",
            "/api/whatsapp/v2/{i}/contacts/upsert",
            json!({"chat_id": lid, "first_name": "Lid 2", "last_name": ""}),
        ),
        ("PUT", "/api/{i}/contacts/{id}", json!({"firstName": "Lid 3", "lastName": ""})),
        ("PATCH", "/v1/instances/{i}/contacts/{id}", json!({"name": "Lid 4"})),
        ("PATCH", "/api/whatsapp/contacts/contact_{uuid}", json!({"name": "Lid 5"})),
        ("PATCH", "/api/v2/contacts/{number}", json!({"firstname": "Lid 6"})),
    ];
    for (place, (method, path, body)) in writes.into_iter().enumerate() {
        let path = stage.fill(path, &lid, &loser);
        let (status, answer) = stage.send(method.parse().unwrap(), &path, Some(body)).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        let contact = app.native(tenant, PHONE).await;
        assert_eq!(contact["display"], format!("Lid {}", place + 1), "{method} {path}");
    }
    assert_eq!(app.head(tenant).await.0, 1);
    // Gone is gone under every id and number.
    let path = stage.fill("/api/v2/contacts/{number}", &lid, &loser);
    assert_eq!(stage.send(Method::DELETE, &path, None).await.0, 200);
    for path in
        ["/api/v2/contacts/{number}", "/api/whatsapp/contacts/contact_{uuid}", "/v1/instances/{i}/contacts/{id}"]
    {
        assert_eq!(stage.send(Method::GET, &stage.fill(path, &lid, &loser), None).await.0, 404, "{path}");
    }
}
