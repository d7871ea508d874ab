//! WA.cr's groups, sources and statuses: the same stories for each, then what is particular: colors, members of groups,
//! sources and statuses that are in use.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::wacr_stage::{Crm, is_time};

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[rstest]
#[case("groups", "Group", 1)]
#[case("sources", "Source", 2)]
#[case("statuses", "Status", 2)]
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_created_fetched_renamed_and_deleted(#[case] list: &str, #[case] noun: &str, #[case] id: i64) {
    let crm = Crm::begin().await;
    let made = crm.post(&format!("/{list}"), json!({"name": "VIP 🌸", "shoe_size": 9})).await;
    assert_eq!(made["message"], format!("{noun} created successfully"));
    let entry = &made["data"];
    assert_eq!((&entry["id"], &entry["name"]), (&json!(id), &json!("VIP 🌸")));
    assert!(is_time(&entry["created_at"]) && entry["created_at"] == entry["updated_at"]);
    assert_eq!(entry.get("color"), (list == "statuses").then_some(&Value::Null));
    let path = format!("/{list}/{id}");
    assert_eq!(crm.get(&path).await["data"], *entry);

    let renamed = crm.patch(&path, json!({"name": "vip 🌸"})).await;
    assert_eq!(renamed["message"], format!("{noun} updated successfully"));
    assert_eq!(renamed["data"]["name"], "vip 🌸", "its own name is no duplicate");

    let gone = crm.delete(&path, None).await;
    assert_eq!((&gone["message"], gone.get("data")), (&json!(format!("{noun} deleted successfully")), None));
    for (method, body) in [(Method::GET, json!({})), (Method::PATCH, json!({"name": "x"})), (Method::DELETE, json!({}))]
    {
        for path in [&path, &format!("/{list}/vip"), &format!("/{list}/-1"), &format!("/{list}/99999999999999999999")] {
            let error = crm.refused(method.clone(), path, Some(&body), 404, "NOT_FOUND").await;
            assert_eq!(error["message"], format!("{noun} not found"));
        }
    }
    // It is looked up before the body is looked at.
    crm.refused(Method::PATCH, &path, Some(&json!({"name": 7})), 404, "NOT_FOUND").await;
}

#[rstest]
#[case("groups", "Group")]
#[case("sources", "Source")]
#[case("statuses", "Status")]
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_right(#[case] list: &str, #[case] noun: &str) {
    let crm = Crm::begin().await;
    let id = crm.entry(list, "First").await;
    crm.entry(list, "Second").await;
    let before = crm.get(&format!("/{list}")).await["data"].clone();
    let required = format!("{noun} name is required");
    let taken = format!("A {} with this name already exists", noun.to_lowercase());
    let long = "The name field must not be greater than 255 characters";
    for (body, message) in [
        (json!({}), &*required),
        (json!({"name": null}), &required),
        (json!({"name": ""}), &required),
        (json!({"name": "  "}), &required),
        (json!({"name": 7}), "The name field must be a string"),
        (json!({"name": ["x"]}), "The name field must be a string"),
        (json!({"name": "é".repeat(256)}), long),
        (json!({"name": "a\nb"}), "The name field must not contain control characters"),
        (json!({"name": "SECOND"}), &taken),
    ] {
        for (method, path) in [(Method::POST, format!("/{list}")), (Method::PATCH, format!("/{list}/{id}"))] {
            assert_eq!(crm.wrong(method, &path, &body, "name").await, message, "{body}");
        }
    }
    let error = crm.refused(Method::POST, &format!("/{list}"), None, 422, "VALIDATION_ERROR").await;
    assert_eq!(error["message"], "The given data was invalid");
    assert_eq!(crm.get(&format!("/{list}")).await["data"], before);
    crm.entry(list, &"é".repeat(255)).await;
}

#[rstest]
#[case("groups", 0)]
#[case("sources", 1)]
#[case("statuses", 1)]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_entries_has_pages_search_sorts_and_filters(#[case] list: &str, #[case] from_the_start: u64) {
    let crm = Crm::begin().await;
    for name in ["Delta", "alpha", "Čharlie", "Bravo"] {
        crm.entry(list, name).await;
    }
    for id in (1..=from_the_start).rev() {
        crm.delete(&format!("/{list}/{id}"), None).await;
    }
    let of = |query: &'static str| {
        let path = format!("/{list}?{query}");
        let crm = &crm;
        async move { crm.get(&path).await }
    };
    for (query, expected) in [
        ("", &["Delta", "alpha", "Čharlie", "Bravo"][..]),
        ("sort=name", &["alpha", "Bravo", "Čharlie", "Delta"]),
        ("sort=-name", &["Delta", "Čharlie", "Bravo", "alpha"]),
        ("sort=created_at", &["Delta", "alpha", "Čharlie", "Bravo"]),
        ("sort=-created_at", &["Bravo", "Čharlie", "alpha", "Delta"]),
        ("sort=-updated_at", &["Bravo", "Čharlie", "alpha", "Delta"]),
        ("sort=shoe_size", &["Delta", "alpha", "Čharlie", "Bravo"]),
        ("search=CHAR", &["Čharlie"]),
        ("q=a&sort=name&per_page=2", &["alpha", "Bravo"]),
        ("search=nobody", &[]),
        (
            "filter[created_at][gte]=2020-01-01&filter[created_at][lt]=2100-01-01",
            &["Delta", "alpha", "Čharlie", "Bravo"],
        ),
        ("filter[created_at][between]=2020-01-01,2020-12-31", &[]),
        ("filter[created_at][null]=1", &[]),
        ("filter[created_at][like]=20", &["Delta", "alpha", "Čharlie", "Bravo"]),
        ("filter[created_at][not_in]=2020-01-01", &["Delta", "alpha", "Čharlie", "Bravo"]),
        ("filter[name]=Delta", &["Delta", "alpha", "Čharlie", "Bravo"]),
    ] {
        assert_eq!(names(&of(query).await), expected, "{query}");
    }
    let page = of("per_page=3&page=2").await;
    assert_eq!(names(&page), ["Bravo"]);
    let figures =
        json!({"total": 4, "count": 1, "per_page": 3, "current_page": 2, "total_pages": 2, "has_more": false});
    assert_eq!(page["meta"]["pagination"], figures);
    assert!(page["links"]["prev"].as_str().unwrap().ends_with(&format!("/{list}?per_page=3&page=1")));
    let path = format!("/{list}?filter[created_at]=soon");
    crm.refused(Method::GET, &path, None, 400, "INVALID_PARAMETER").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_has_a_color_until_a_change_leaves_it_out() {
    let crm = Crm::begin().await;
    let made = crm.post("/statuses", json!({"name": "Hot", "color": "#Ff5733"})).await;
    assert_eq!(made["data"]["color"], "#Ff5733");
    let path = "/statuses/2";
    assert_eq!(crm.patch(path, json!({"name": "Hot", "color": "#000000"})).await["data"]["color"], "#000000");
    assert_eq!(crm.patch(path, json!({"name": "Warm"})).await["data"]["color"], Value::Null);
    assert_eq!(crm.patch(path, json!({"name": "Warm", "color": null})).await["data"]["color"], Value::Null);
    for color in [
        json!("red"),
        json!("#fff"),
        json!("#ff573g"),
        json!("ff5733"),
        json!("#ff57331"),
        json!(7),
        json!(["#ffffff"]),
    ] {
        for (method, path) in [(Method::POST, "/statuses"), (Method::PATCH, path)] {
            let body = json!({"name": "Cold", "color": color});
            let message = crm.wrong(method, path, &body, "color").await;
            assert_eq!(message, "Color must be a valid hex color code (e.g., #FF5733)", "{color}");
        }
    }
    // A group has none, whatever is sent.
    assert!(crm.post("/groups", json!({"name": "VIP", "color": "red"})).await["data"].get("color").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_or_status_in_use_stays() {
    let crm = Crm::begin().await;
    for number in 1..=3 {
        crm.contact(&format!("+1000000000{number}"), json!({})).await;
    }
    for (list, noun) in [("sources", "source"), ("statuses", "status")] {
        let path = format!("/{list}/1");
        let error = crm.refused(Method::DELETE, &path, None, 409, "RESOURCE_CONFLICT").await;
        assert_eq!(error["message"], format!("Cannot delete {noun}. It is being used by 3 contact(s)"));
        assert_eq!(crm.get(&path).await["data"]["id"], 1);
    }
    crm.delete("/contacts/batch", Some(json!({"ids": [1, 2, 3]}))).await;
    crm.delete("/sources/1", None).await;
    crm.delete("/statuses/1", None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_enter_and_leave_a_group() {
    let crm = Crm::begin().await;
    let vip = crm.entry("groups", "VIP").await;
    for number in 1..=4 {
        crm.contact(&format!("+1000000000{number}"), json!({})).await;
    }
    let path = format!("/groups/{vip}/contacts");
    let added = crm.post(&path, json!({"contact_ids": [1, 2]})).await;
    assert_eq!(added["message"], "Contacts added to group successfully");
    assert_eq!(added["data"], json!({"group_id": vip, "contacts_added": 2}));
    assert_eq!(crm.post(&path, json!({"contact_ids": [2, 3]})).await["data"]["contacts_added"], 1);
    let member = |id: &str| {
        let path = format!("/contacts/{id}");
        let crm = &crm;
        async move { crm.get(&path).await["data"]["group_id"].clone() }
    };
    assert_eq!([member("1").await, member("3").await, member("4").await], [json!([vip]), json!([vip]), json!([])]);

    // All or none.
    let message = crm.wrong(Method::POST, &path, &json!({"contact_ids": [4, 77]}), "contact_ids").await;
    assert_eq!(message, "One or more contact IDs do not exist");
    let message = crm.wrong(Method::POST, &path, &json!({"contact_ids": [4, 4]}), "contact_ids").await;
    assert_eq!(message, "One or more contacts do not belong to this tenant");
    assert_eq!(member("4").await, json!([]));

    let removed = crm.delete(&path, Some(json!({"contact_ids": [1, 4, 77, 1]}))).await;
    assert_eq!(removed["message"], "Contacts removed from group successfully");
    assert_eq!(removed["data"], json!({"group_id": vip, "contacts_removed": 1}));
    assert_eq!([member("1").await, member("2").await], [json!([]), json!([vip])]);

    for method in [Method::POST, Method::DELETE] {
        for (body, message) in [
            (json!({}), "Contact IDs are required"),
            (json!({"contact_ids": null}), "Contact IDs are required"),
            (json!({"contact_ids": []}), "Contact IDs are required"),
            (json!({"contact_ids": 1}), "Contact IDs must be an array"),
            (json!({"contact_ids": {"0": 1}}), "Contact IDs must be an array"),
        ] {
            assert_eq!(crm.wrong(method.clone(), &path, &body, "contact_ids").await, message, "{body}");
        }
        let body = json!({"contact_ids": [1, "x", 2.5]});
        let message = crm.wrong(method.clone(), &path, &body, "contact_ids.1").await;
        assert_eq!(message, "The contact ids.1 field must be an integer");
        crm.refused(method, "/groups/77/contacts", Some(&json!({})), 404, "NOT_FOUND").await;
    }
    // Who was in a group that goes is in it no more.
    crm.delete(&format!("/groups/{vip}"), None).await;
    assert_eq!(member("2").await, json!([]));
}
