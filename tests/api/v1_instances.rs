//! `/v1/instances`: made, listed, shown, removed, made again.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{TestApp, assert_wawp_error, entries, problem, text, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_made_instance_is_empty_and_ready() {
    let app = TestApp::start().await;
    let made = app.admin(Method::POST, "/v1/instances", Some(json!({"instance_id": "shop"}))).await;
    let made = told(made, 201).await;
    assert_eq!(made["instance_id"], "shop");
    assert!(text(&made["access_token"]).starts_with("wab_"));
    let shown = told(app.admin(Method::GET, "/v1/instances/shop", None).await, 200).await;
    assert_eq!((&shown["instance_id"], &shown["state"]), (&json!("shop"), &json!("ready")));
    assert_eq!((&shown["contacts"], &shown["revision"]), (&json!(0), &json!(0)));
    let created_at: jiff::Timestamp = text(&shown["created_at"]).parse().unwrap();
    assert!(created_at.as_second() > 1_700_000_000);
    assert_eq!(shown["created_at"], made["created_at"]);
    let to_itself = app.v1(&text(&made["access_token"]), Method::GET, "/v1/instances/shop", None).await;
    assert_eq!(told(to_itself, 200).await, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_a_wish_is_given_an_id() {
    let app = TestApp::start().await;
    for body in [Some(json!({})), Some(json!({"instance_id": null})), None] {
        let made = told(app.admin(Method::POST, "/v1/instances", body).await, 201).await;
        let id = text(&made["instance_id"]);
        assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    }
    let listed = told(app.admin(Method::GET, "/v1/instances", None).await, 200).await;
    assert_eq!(listed["instances"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_given_once() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("shop").await;
    app.save(&tenant, "123@c.us", "Bob", "").await;
    let again = app.admin(Method::POST, "/v1/instances", Some(json!({"instance_id": "shop"}))).await;
    assert_eq!(problem(again, 409).await["field"], "instance_id");
    assert_eq!(app.name(&tenant, "123@c.us").await, "Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_one_id_one_gets_it() {
    let app = TestApp::start().await;
    let wishes = (0..16).map(|_| app.admin(Method::POST, "/v1/instances", Some(json!({"instance_id": "shop"}))));
    let mut statuses: Vec<_> = join_all(wishes).await.iter().map(|response| response.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!((statuses[0], &statuses[1..]), (201, &[409; 15][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_removed_under_load_takes_its_writers_with_it() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("shop").await;
    app.save(&tenant, "123@c.us", "Bob", "").await;
    let write = async |number: usize| {
        let mut statuses = Vec::new();
        // Bounded: the instance is removed while they are at it.
        for name in 0..2_000 {
            let fields = json!({"chatId": format!("{}", 1_000 + number), "firstName": name.to_string()});
            let status = app.update(&tenant, fields).await.status().as_u16();
            statuses.push(status);
            if status == 401 {
                break;
            }
        }
        statuses
    };
    let remove = async {
        for _ in 0..1_000 {
            if app.head(&tenant).await.0 >= 5 {
                break;
            }
        }
        told(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 204).await;
    };
    let (statuses, ()) = futures_util::future::join(join_all((0..8).map(write)), remove).await;
    for statuses in statuses {
        assert_eq!(statuses.last(), Some(&401));
        assert!(statuses.iter().all(|status| [200, 401, 503].contains(status)), "{statuses:?}");
    }
    assert!(!entries(&app.sessions()).iter().any(|name| name.starts_with("shop")));
    let again = app.named_instance("shop").await;
    assert_eq!(app.head(&again).await, (0, 0));
}

#[rstest]
#[case::empty(json!(""))]
#[case::dots(json!(".."))]
#[case::a_path(json!("a/b"))]
#[case::a_space(json!("a b"))]
#[case::beyond_ascii(json!("büro"))]
#[case::too_long(json!("a".repeat(65)))]
#[case::a_number(json!(7))]
#[case::an_array(json!(["shop"]))]
#[case::whatsapp(json!("whatsapp"))]
#[case::v2(json!("v2"))]
#[case::contacts(json!("contacts"))]
#[case::all(json!("all"))]
#[case::lids(json!("lids"))]
#[case::sessions_in_capitals(json!("SESSIONS"))]
#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_cannot_be(#[case] id: Value) {
    let app = TestApp::start().await;
    let before = entries(&app.sessions());
    let refused = app.admin(Method::POST, "/v1/instances", Some(json!({"instance_id": id}))).await;
    let refused = problem(refused, 400).await;
    assert_eq!(refused["field"], "instance_id");
    assert_eq!(entries(&app.sessions()), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_listed_by_page() {
    let app = TestApp::start().await;
    for id in ["c", "a", "e", "b", "d"] {
        app.named_instance(id).await;
    }
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/instances?limit=2&after={after}");
        let page = told(app.admin(Method::GET, &path, None).await, 200).await;
        let listed = page["instances"].as_array().unwrap();
        assert!(listed.iter().all(|instance| instance["created_at"].is_string()));
        pages.push(listed.iter().map(|instance| text(&instance["instance_id"])).collect::<Vec<_>>().concat());
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(pages, ["ab", "cd", "e"]);
    for limit in ["0", "1001", "x"] {
        let refused = problem(app.admin(Method::GET, &format!("/v1/instances?limit={limit}"), None).await, 400).await;
        assert_eq!(refused["field"], "limit");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_instance_is_gone_with_its_book_and_its_tokens() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.named_instance("shop").await, app.instance().await);
    app.save(&tenant, "123@c.us", "Bob", "").await;
    app.save(&other, "123@c.us", "Robert", "").await;
    assert!(app.sessions().join("shop").join("book.db").exists());
    told(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 204).await;

    assert!(!entries(&app.sessions()).iter().any(|name| name.starts_with("shop")));
    problem(app.admin(Method::GET, "/v1/instances/shop", None).await, 404).await;
    problem(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 404).await;
    problem(app.admin(Method::GET, "/v1/instances/shop/tokens", None).await, 404).await;
    let read = app.get(&tenant, "/v2/contacts", &[("contactId", "123@c.us")]).await;
    assert_wawp_error(&told(read, 401).await, 401);
    assert_eq!(app.name(&other, "123@c.us").await, "Robert");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_made_again_has_an_empty_book_and_new_tokens() {
    let app = TestApp::start().await;
    let first = app.named_instance("shop").await;
    app.save(&first, "123@c.us", "Bob", "").await;
    let epoch = async |app: &TestApp| {
        told(app.admin(Method::GET, "/v1/instances/shop", None).await, 200).await["epoch"].clone()
    };
    let before = epoch(&app).await;
    told(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 204).await;
    let second = app.named_instance("shop").await;
    assert_eq!(app.head(&second).await, (0, 0));
    assert_ne!(epoch(&app).await, before);
    assert_eq!(app.name(&second, "123@c.us").await, Value::Null);
    told(app.get(&first, "/v2/contacts", &[("contactId", "123@c.us")]).await, 401).await;
    let app = app.restart().await;
    assert_eq!(app.head(&second).await, (0, 0));
    told(app.get(&first, "/v2/contacts", &[("contactId", "123@c.us")]).await, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_instance_stays_away_after_a_restart() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("shop").await;
    told(app.admin(Method::DELETE, "/v1/instances/shop", None).await, 204).await;
    let app = app.restart().await;
    problem(app.admin(Method::GET, "/v1/instances/shop", None).await, 404).await;
    told(app.get(&tenant, "/v2/contacts", &[("contactId", "123@c.us")]).await, 401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_book_is_told_as_a_state_and_hurts_nobody_else() {
    let app = TestApp::start().await;
    let (shop, other) = (app.named_instance("shop").await, app.instance().await);
    app.save(&shop, "123@c.us", "Bob", "").await;
    app.save(&other, "123@c.us", "Robert", "").await;
    let folder = app.stop().await;
    std::fs::write(folder.path().join("sessions/shop/book.db"), "not a book").unwrap();
    let app = TestApp::start_in(folder).await;
    let refused = app.update(&shop, json!({"chatId": "123@c.us", "firstName": "Rob"})).await;
    assert_wawp_error(&told(refused, 503).await, 503);
    let shown = told(app.admin(Method::GET, "/v1/instances/shop", None).await, 200).await;
    assert_eq!((&shown["state"], &shown["contacts"]), (&json!("quarantined"), &Value::Null));
    assert!(entries(&app.sessions()).iter().any(|name| name.starts_with("shop.damaged-")));
    assert_eq!(app.name(&other, "123@c.us").await, "Robert");
    app.save(&other, "123@c.us", "Robert", "Jones").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_of_a_sound_book_finds_nothing() {
    let app = TestApp::start().await;
    let tenant = app.named_instance("shop").await;
    app.save(&tenant, "123@c.us", "Bob", "").await;
    let checked = told(app.admin(Method::POST, "/v1/instances/shop/check", None).await, 200).await;
    assert_eq!(checked, json!({"instance_id": "shop", "contacts": 1, "problems": []}));
}

#[rstest]
#[case::malformed("application/json", "{", 400, "malformed")]
#[case::an_array("application/json", "[]", 400, "malformed")]
#[case::text("text/plain", "{}", 415, "media_type")]
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_is_a_problem(
    #[case] media: &str,
    #[case] body: &'static str,
    #[case] status: u16,
    #[case] code: &str,
) {
    let app = TestApp::start().await;
    let request = app.request(Method::POST, "/v1/instances").bearer_auth(&app.admin_token);
    let response = request.header("Content-Type", media).body(body).send().await.unwrap();
    assert_eq!(problem(response, status).await["code"], code);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_routes_and_verbs_are_problems() {
    let app = TestApp::start().await;
    for path in ["/v1/nothing", "/nothing", "/"] {
        assert_eq!(problem(app.admin(Method::GET, path, None).await, 404).await["code"], "no_route", "{path}");
    }
    let refused = app.admin(Method::PATCH, "/v1/instances", None).await;
    assert_eq!(refused.headers()["allow"], "GET, POST");
    problem(refused, 405).await;
}
