//! The account: what the instance holds and may do. Figures are real ones. There is no plan to subscribe to, so
//! contacts are limited only if the configuration says so (else -1); what this gateway does not do at all has the limit 0. The account's `id` is the instance
//! id, which is a text, where the vendor counts tenants.

use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Answer, TAG, enter,
    envelope::{Envelope, done},
    problem::{Account, Errors},
};
use crate::{
    gateway::Scope,
    http::{Door, room::Heard, time::rfc3339_seconds},
};

const UNLIMITED: i64 = -1;

/// The instance.
#[utoipa::path(get, path = "/account", operation_id = "wacr_account", tag = TAG,
    responses((status = 200, description = "the account", body = Envelope<AccountJson>), Errors))]
pub async fn info(heard: Heard, door: Data<Door>) -> Answer<Account> {
    let session = enter(&door, &heard, Scope::AccountRead)?;
    let created_at = rfc3339_seconds(door.gateway.created_at(session.id()).await?);
    let subscription = Subscription { plan_name: "wabook", plan_id: None, status: "active", expires_at: None };
    let id = session.id().as_str();
    let account = AccountJson { id, name: id, subdomain: id, status: "active", created_at, subscription };
    Ok(done(account, "Account information retrieved successfully"))
}

/// How much is used.
#[utoipa::path(get, path = "/account/usage", operation_id = "wacr_account_usage", tag = TAG,
    responses((status = 200, description = "usage", body = Envelope<UsageJson>), Errors))]
pub async fn usage(heard: Heard, door: Data<Door>) -> Answer<Account> {
    let session = enter(&door, &heard, Scope::AccountRead)?;
    let contacts = Usage::of(session.head().await?.contacts, most_contacts(&door));
    let none = || Usage::of(0, 0);
    let usage = UsageJson { contacts, conversations: none(), campaigns: none(), staff: none() };
    Ok(done(usage, "Usage statistics retrieved successfully"))
}

/// How much may be used.
#[utoipa::path(get, path = "/account/limits", operation_id = "wacr_account_limits", tag = TAG,
    responses((status = 200, description = "limits", body = Envelope<LimitsJson>), Errors))]
pub async fn limits(heard: Heard, door: Data<Door>) -> Answer<Account> {
    enter(&door, &heard, Scope::AccountRead)?;
    let per_minute = match door.limits.requests_per_minute {
        0 => UNLIMITED,
        limit => limit.into(),
    };
    let limits = Limits {
        contacts: Limit::of("Total Contacts", most_contacts(&door)),
        conversations: Limit::of("Conversations per Month", 0),
        campaigns: Limit::of("Active Campaigns", 0),
        staff: Limit::of("Team Members", 0),
        api_calls_per_minute: Limit::of("API Calls per Minute", per_minute),
    };
    let features = Features { api_access: true, ..Features::default() };
    Ok(done(LimitsJson { limits, features }, "Plan limits retrieved successfully"))
}

fn most_contacts(door: &Door) -> i64 {
    match door.limits.contacts {
        0 => UNLIMITED,
        most => most.try_into().unwrap_or(i64::MAX),
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrAccount)]
struct AccountJson<'a> {
    id: &'a str,
    name: &'a str,
    subdomain: &'a str,
    status: &'static str,
    created_at: String,
    subscription: Subscription,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrSubscription)]
struct Subscription {
    plan_name: &'static str,
    plan_id: Option<i64>,
    status: &'static str,
    expires_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrUsage)]
struct UsageJson {
    contacts: Usage,
    conversations: Usage,
    campaigns: Usage,
    staff: Usage,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrUsageEntry)]
struct Usage {
    current: u64,
    /// -1 = unlimited.
    limit: i64,
    remaining: i64,
    percentage_used: f64,
    is_unlimited: bool,
}

impl Usage {
    fn of(current: u64, limit: i64) -> Self {
        let is_unlimited = limit == UNLIMITED;
        let used = i64::try_from(current).unwrap_or(i64::MAX);
        let remaining = if is_unlimited { UNLIMITED } else { (limit - used).max(0) };
        let percentage = if limit > 0 { used as f64 * 100.0 / limit as f64 } else { 0.0 };
        Self { current, limit, remaining, percentage_used: (percentage * 100.0).round() / 100.0, is_unlimited }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrLimits)]
struct LimitsJson {
    limits: Limits,
    features: Features,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrLimitEntries)]
struct Limits {
    contacts: Limit,
    conversations: Limit,
    campaigns: Limit,
    staff: Limit,
    api_calls_per_minute: Limit,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WacrLimitEntry)]
struct Limit {
    /// -1 = unlimited.
    limit: i64,
    feature_name: &'static str,
    is_unlimited: bool,
}

impl Limit {
    fn of(feature_name: &'static str, limit: i64) -> Self {
        Self { limit, feature_name, is_unlimited: limit == UNLIMITED }
    }
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = WacrFeatures)]
struct Features {
    whatsapp_templates: bool,
    bulk_messaging: bool,
    chatbot: bool,
    advanced_analytics: bool,
    api_access: bool,
    custom_branding: bool,
}
