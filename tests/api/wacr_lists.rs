//! WA.cr's list of contacts: pages and their figures, sorts, search, includes, and every filter against a plain
//! expectation.

use rstest::rstest;
use serde_json::{Value, json};

use crate::wacr_stage::{Crm, new};

/// Ann, Bob, Cid, Dan and Eve, and Pia, whom another dialect saved.
async fn town() -> Crm {
    let crm = Crm::begin().await;
    for list in ["sources", "statuses"] {
        for name in ["two", "three"] {
            crm.entry(list, name).await;
        }
    }
    crm.entry("groups", "one").await;
    crm.entry("groups", "two").await;
    for (phone, fields) in [
        ("+10000000001", json!({"firstname": "Ann", "lastname": "Zed", "type": "lead", "status_id": 1, "groups": [1]})),
        (
            "+10000000002",
            json!({"firstname": "Bob", "lastname": "Young", "type": "customer", "status_id": 2, "source_id": 2, "company": "ACME", "groups": [1, 2]}),
        ),
        (
            "+10000000003",
            json!({"firstname": "Cid", "lastname": "Xu", "type": "customer", "status_id": 3, "assigned_id": 5, "email": "cid@example.com"}),
        ),
        (
            "+10000000004",
            json!({"firstname": "Dan", "lastname": "Xu", "type": "guest", "status_id": 2, "source_id": 3, "assigned_id": 9, "groups": [2]}),
        ),
        ("+10000000005", json!({"firstname": "eve", "lastname": "Abe", "type": "lead", "status_id": 3, "city": "Zed"})),
    ] {
        crm.post("/contacts", new(phone, fields)).await;
    }
    crm.app.save(&crm.tenant, "10000000006", "Pia", "").await;
    crm
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_whom_it_should() {
    let crm = town().await;
    let everybody: &[&str] = &["Ann", "Bob", "Cid", "Dan", "eve", "Pia"];
    let cases: &[(&str, &[&str])] = &[
        ("", everybody),
        ("filter[type]=lead", &["Ann", "eve"]),
        ("filter[type]=CUSTOMER", &["Bob", "Cid"]),
        ("filter[type]=nobody", &[]),
        ("filter[type][ne]=lead", &["Bob", "Cid", "Dan"]),
        ("filter[type][!%3D]=lead", &["Bob", "Cid", "Dan"]),
        ("filter[type][like]=ue", &["Dan"]),
        ("filter[type][in]=lead,guest", &["Ann", "Dan", "eve"]),
        ("filter[type][not_in]=lead,guest", &["Bob", "Cid"]),
        ("filter[type][null]=1", &["Pia"]),
        ("filter[type][null]=0", &["Ann", "Bob", "Cid", "Dan", "eve"]),
        ("filter[type][null]=false", &["Ann", "Bob", "Cid", "Dan", "eve"]),
        ("filter[type][null]=", &["Ann", "Bob", "Cid", "Dan", "eve"]),
        ("filter[type][null]=true", &["Pia"]),
        ("filter[status_id]=2", &["Bob", "Dan"]),
        ("filter[status_id][gte]=2", &["Bob", "Cid", "Dan", "eve"]),
        ("filter[status_id][%3E%3D]=2", &["Bob", "Cid", "Dan", "eve"]),
        ("filter[status_id][lte]=2", &["Ann", "Bob", "Dan"]),
        ("filter[status_id][%3C%3D]=2", &["Ann", "Bob", "Dan"]),
        ("filter[status_id][gt]=2", &["Cid", "eve"]),
        ("filter[status_id][%3E]=2", &["Cid", "eve"]),
        ("filter[status_id][lt]=2", &["Ann"]),
        ("filter[status_id][%3C]=2", &["Ann"]),
        ("filter[status_id][between]=2,3", &["Bob", "Cid", "Dan", "eve"]),
        ("filter[status_id][in]=1, 3", &["Ann", "Cid", "eve"]),
        ("filter[status_id][not_in]=1,3", &["Bob", "Dan"]),
        ("filter[status_id][resembles]=2", &["Bob", "Dan"]),
        ("filter[source_id]=3", &["Dan"]),
        ("filter[source_id][ne]=1", &["Bob", "Dan"]),
        ("filter[assigned_id]=5", &["Cid"]),
        ("filter[assigned_id][null]=1", &["Ann", "Bob", "eve", "Pia"]),
        ("filter[assigned_id][gt]=5", &["Dan"]),
        ("filter[group_id]=1", &["Ann", "Bob"]),
        ("filter[group_id]=2", &["Bob", "Dan"]),
        ("filter[group_id][in]=1,2", &["Ann", "Bob", "Dan"]),
        ("filter[group_id][ne]=1", &["Cid", "Dan", "eve", "Pia"]),
        ("filter[group_id][not_in]=1,2", &["Cid", "eve", "Pia"]),
        ("filter[group_id][null]=1", &["Cid", "eve", "Pia"]),
        ("filter[group_id][gte]=2", &["Bob", "Dan"]),
        ("filter[created_at][gte]=2020-01-01", everybody),
        ("filter[created_at][lt]=2020-01-01", &[]),
        ("filter[created_at]=2020-01-01T00:00:00Z", &[]),
        ("filter[created_at][between]=2020-01-01,2100-01-01", everybody),
        ("filter[created_at][not_in]=2020-01-01", everybody),
        ("filter[created_at][ne]=2020-01-01", everybody),
        ("filter[created_at][null]=1", &[]),
        ("filter[created_at][like]=20", everybody),
        ("filter[created_at][like]=1999-", &[]),
        ("filter[type]=customer&filter[group_id]=1", &["Bob"]),
        ("filter[status_id][gt]=1&filter[status_id][lt]=3&filter[type]=guest", &["Dan"]),
        ("filter[type]=guest&filter[type]=lead", &["Ann", "eve"]),
        ("filter[nobody]=1&filter[status_id]=&filter=2&fields=id,phone", everybody),
        ("search=zed", &["Ann"]),
        ("q=ACME", &["Bob"]),
        ("search=cid@EXAMPLE", &["Cid"]),
        ("search=%2B1000000000", everybody),
        ("search=0004", &["Dan"]),
        ("search=xu&filter[type]=guest", &["Dan"]),
        ("search=nobody", &[]),
        ("search=", everybody),
    ];
    for (query, expected) in cases {
        assert_eq!(crm.names(query).await, *expected, "{query}");
        let found = crm.get(&format!("/contacts?{query}")).await;
        assert_eq!(found["meta"]["pagination"]["total"], expected.len(), "{query}");
    }
    let created = crm.get("/contacts/1").await["data"]["created_at"].as_str().unwrap().replace('+', "%2B");
    for operator in ["", "[gte]", "[lte]", "[in]"] {
        assert!(crm.names(&format!("filter[created_at]{operator}={created}")).await.contains(&"Ann".to_owned()));
    }
}

#[rstest]
#[case("sort=firstname", &["Ann", "Bob", "Cid", "Dan", "eve", "Pia"])]
#[case("sort=-firstname", &["Pia", "eve", "Dan", "Cid", "Bob", "Ann"])]
#[case("sort=lastname,-firstname", &["Pia", "eve", "Dan", "Cid", "Bob", "Ann"])]
#[case("sort=-lastname,firstname", &["Ann", "Bob", "Cid", "Dan", "eve", "Pia"])]
#[case("sort=-id", &["Pia", "eve", "Dan", "Cid", "Bob", "Ann"])]
#[case("sort=created_at", &["Ann", "Bob", "Cid", "Dan", "eve", "Pia"])]
#[case("sort=-created_at", &["Pia", "eve", "Dan", "Cid", "Bob", "Ann"])]
#[case("sort=-updated_at", &["Bob", "Pia", "eve", "Dan", "Cid", "Ann"])]
#[case("sort=shoe_size,-id,,-", &["Pia", "eve", "Dan", "Cid", "Bob", "Ann"])]
#[case("sort=", &["Ann", "Bob", "Cid", "Dan", "eve", "Pia"])]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_with(#[case] query: &str, #[case] expected: &[&str]) {
    let crm = town().await;
    crm.patch("/contacts/2", json!({"city": "Baroda"})).await;
    assert_eq!(crm.names(query).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_the_pages_shows_everybody_once() {
    let crm = town().await;
    let mut next = Some("/api/v2/contacts?per_page=4&filter[created_at][gte]=2020-01-01&sort=-id".to_owned());
    let mut walked = Vec::new();
    let mut figures = Vec::new();
    while let Some(target) = next {
        let page =
            crm.app.v1(&crm.tenant.token, reqwest::Method::GET, &target, None).await.json::<Value>().await.unwrap();
        walked.extend(page["data"].as_array().unwrap().iter().map(|contact| contact["id"].as_i64().unwrap()));
        figures.push(page["meta"]["pagination"].clone());
        let links = &page["links"];
        assert_eq!(links["self"], links[if figures.len() == 1 { "first" } else { "last" }]);
        assert_eq!(links["prev"].is_null(), figures.len() == 1);
        next = links["next"].as_str().map(|url| {
            let (origin, path) = url.split_at(url.find("/api/v2").unwrap());
            assert!(origin.starts_with("http://127.0.0.1:"), "{url}");
            assert!(path.contains("per_page=4") && path.matches("page=2").count() == 1, "{url}");
            path.to_owned()
        });
    }
    assert_eq!(walked, [6, 5, 4, 3, 2, 1]);
    let page = |count: u64, current: u64, more: bool| json!({"total": 6, "count": count, "per_page": 4, "current_page": current, "total_pages": 2, "has_more": more});
    assert_eq!(figures, [page(4, 1, true), page(2, 2, false)]);
}

#[rstest]
#[case("", json!([15, 1, 6]))]
#[case("per_page=100", json!([100, 1, 6]))]
#[case("per_page=101", json!([100, 1, 6]))]
#[case("per_page=1000000000000000000000", json!([15, 1, 6]))]
#[case("per_page=0", json!([1, 1, 1]))]
#[case("per_page=-5&page=-1", json!([15, 1, 6]))]
#[case("per_page=many&page=first", json!([15, 1, 6]))]
#[case("page=0", json!([15, 1, 6]))]
#[case("page=2", json!([15, 2, 0]))]
#[case("page=18446744073709551615", json!([15, 18_446_744_073_709_551_615_u64, 0]))]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_asked_for_as(#[case] query: &str, #[case] expected: Value) {
    let crm = town().await;
    let page = crm.get(&format!("/contacts?{query}")).await;
    let figures = &page["meta"]["pagination"];
    assert_eq!(json!([figures["per_page"], figures["current_page"], figures["count"]]), expected);
    assert_eq!(page["data"].as_array().unwrap().len(), figures["count"].as_u64().unwrap() as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_has_well_formed_figures() {
    let crm = Crm::begin().await;
    let page = crm.get("/contacts").await;
    let figures =
        json!({"total": 0, "count": 0, "per_page": 15, "current_page": 1, "total_pages": 1, "has_more": false});
    assert_eq!((&page["data"], &page["meta"]["pagination"]), (&json!([]), &figures));
    let link = page["links"]["self"].clone();
    assert!(link.as_str().unwrap().ends_with("/api/v2/contacts?page=1"), "{link}");
    assert_eq!(page["links"], json!({"self": link, "first": link, "last": link, "prev": null, "next": null}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_included_is_shown_with_each_contact() {
    let crm = town().await;
    let page = crm.get("/contacts?include=groups,source,status&filter[type]=customer").await;
    let bob = &page["data"][0];
    assert_eq!(
        bob["groups"].as_array().unwrap().iter().map(|group| group["name"].clone()).collect::<Vec<_>>(),
        ["one", "two"]
    );
    assert_eq!((&bob["source"]["name"], &bob["status"]["name"]), (&json!("two"), &json!("two")));
    let page = crm.get("/contacts?include=status").await;
    assert!(page["data"][0].get("groups").is_none() && page["data"][0].get("source").is_none());
    assert_eq!(page["data"][5]["status"], Value::Null);
}

#[rstest]
#[case("filter[status_id]=abc")]
#[case("filter[assigned_id][in]=1,,2")]
#[case("filter[group_id]=vip")]
#[case("filter[status_id][between]=1")]
#[case("filter[status_id][between]=1,2,3")]
#[case("filter[created_at][gte]=yesterday")]
#[case("filter[created_at][between]=2026-01-01,soon")]
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_read_is_refused(#[case] query: &str) {
    let crm = Crm::begin().await;
    let path = format!("/contacts?{query}");
    crm.refused(reqwest::Method::GET, &path, None, 400, "INVALID_PARAMETER").await;
    let many = format!("/contacts?filter[status_id][in]={}", vec!["1"; 1001].join(","));
    crm.refused(reqwest::Method::GET, &many, None, 400, "INVALID_PARAMETER").await;
}
