//! The whole gateway over HTTP, filed by URL. Most stories run it in this process (`support`), those of the command
//! line, the log and the end of a run as a child process (`../support`).

mod ear;
#[path = "../support/mod.rs"]
mod shared;
mod support;

mod command_line;
mod health;
mod hypersender_contacts;
mod hypersender_refusals;
mod log;
mod matrix;
mod one_person;
mod openapi;
mod quotas;
mod safe_defaults;
mod sealed;
mod shutdown;
mod superwaba_bad_input;
mod superwaba_bulk;
mod superwaba_read;
mod superwaba_story;
mod superwaba_write;
mod ten_thousand;
mod ten_thousand_elsewhere;
mod tenants;
mod tls;
mod v1_changes;
mod v1_companion;
mod v1_contacts;
mod v1_events;
mod v1_export;
mod v1_import;
mod v1_instances;
mod v1_names;
mod v1_observations;
mod v1_tokens;
mod v1_waha_webhooks;
mod v1_webhook_deliveries;
mod v1_webhooks;
mod wacr_access;
mod wacr_bad_input;
mod wacr_batch;
mod wacr_contacts;
mod wacr_lists;
mod wacr_registers;
mod wacr_stage;
mod waha_contacts;
mod waha_lids;
mod waha_refusals;
mod waha_sessions;
mod wawp_bad_input;
mod wawp_read;
mod wawp_update;
