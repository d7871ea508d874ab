//! Every route that takes a body, an id or a query, by the face it belongs to. `{tail}` is where the first line of an input
//! goes; a `=` in front says that the same again changes nothing, a `@` that it does not if every row says when. Leaves out
//! streams, and whatever would reach out.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Wawp,
    Hypersender,
    SuperWaba,
    Wacr,
    Waha,
    Native,
}

/// A face and one of its routes: method, path and, for some, a header.
pub type Door = (Face, &'static str);

use Face::*;

pub const WAWP: [Door; 10] = [
    (Wawp, "=POST /v2/contacts/update?{tail}"),
    (Wawp, "=PUT /v2/contacts/{tail}"),
    (Wawp, "=POST /v2/contacts/block?{tail}"),
    (Wawp, "=POST /v2/contacts/unblock?{tail}"),
    (Wawp, "GET /v2/contacts/{tail}"),
    (Wawp, "GET /v2/contacts/check-exists?phone={tail}"),
    (Wawp, "GET /v2/contacts/about?contactId={tail}"),
    (Wawp, "GET /v2/lids/pn/{tail}"),
    (Wawp, "GET /v2/lids/{tail}"),
    (Wawp, "=PUT /wp-json/awp/v1/contacts/update?{tail}"),
];

pub const HYPERSENDER: [Door; 3] = [
    (Hypersender, "=POST /api/whatsapp/v2/{i}/contacts/upsert"),
    (Hypersender, "GET /api/whatsapp/v2/{i}/contacts/get?chat_id={tail}"),
    (Hypersender, "GET /api/whatsapp/v2/{i}/contacts/{tail}"),
];

pub const SUPERWABA: [Door; 4] = [
    (SuperWaba, "POST /api/whatsapp/contacts"),
    (SuperWaba, "POST /api/whatsapp/contacts/bulk"),
    (SuperWaba, "=PATCH /api/whatsapp/contacts/{tail}"),
    (SuperWaba, "GET /api/whatsapp/contacts/{tail}"),
];

pub const WACR: [Door; 15] = [
    (Wacr, "POST /contacts"),
    (Wacr, "POST /contacts/batch"),
    (Wacr, "=PATCH /contacts/{tail}"),
    (Wacr, "DELETE /contacts/batch"),
    (Wacr, "GET /contacts/{tail}"),
    (Wacr, "DELETE /api/v2/contacts/{tail}"),
    (Wacr, "POST /groups"),
    (Wacr, "=PATCH /groups/{tail}"),
    (Wacr, "POST /groups/{tail}"),
    (Wacr, "DELETE /groups/{tail}"),
    (Wacr, "POST /sources"),
    (Wacr, "=PATCH /sources/{tail}"),
    (Wacr, "POST /statuses"),
    (Wacr, "=PATCH /statuses/{tail}"),
    (Wacr, "POST /api/v2/contacts"),
];

pub const WAHA: [Door; 8] = [
    (Waha, "=PUT /api/{i}/contacts/{tail}"),
    (Waha, "=POST /api/contacts/block?{tail}"),
    (Waha, "=POST /api/contacts/unblock?{tail}"),
    (Waha, "GET /api/{i}/contacts/{tail}"),
    (Waha, "GET /api/contacts/{tail}"),
    (Waha, "GET /api/{i}/lids/pn/{tail}"),
    (Waha, "GET /api/{i}/lids/{tail}"),
    (Waha, "GET /api/sessions/{tail}"),
];

pub const V1: [Door; 17] = [
    (Native, "=PUT /v1/instances/{i}/contacts/{tail}"),
    (Native, "=PATCH /v1/instances/{i}/contacts/{tail}"),
    (Native, "POST /v1/instances/{i}/contacts/batch"),
    (Native, "@POST /v1/instances/{i}/observations"),
    (Native, "POST /v1/instances/{i}/observations/waha"),
    (Native, "GET /v1/instances/{i}/contacts/{tail}"),
    (Native, "DELETE /v1/instances/{i}/contacts/{tail}"),
    (Native, "POST /v1/instances/{i}/contacts/{tail}/names/undo"),
    (Native, "GET /v1/instances/{i}/contacts/{tail}/names"),
    (Native, "POST /v1/instances/{i}/webhooks"),
    (Native, "=PUT /v1/instances/{i}/observations/waha"),
    (Native, "POST /v1/instances/{i}/observations/waha X-Webhook-Hmac: {tail}"),
    (Native, "PUT /v1/instances/{i}/contacts/15551230000 If-Match: {tail}"),
    (Native, "PUT /v1/instances/{i}/contacts/15551230000 If-None-Match: {tail}"),
    (Native, "PUT /v1/instances/{i}/contacts/15551230000 Idempotency-Key: {tail}"),
    (Native, "GET /v1/instances/{i}/contacts/15551230000 If-None-Match: {tail}"),
    (Native, "DELETE /v1/instances/{i}/contacts/15551230000 If-Match: {tail}"),
];

/// The lists, and what else is asked for by a query alone.
pub const QUERIES: [Door; 18] = [
    (Native, "GET /v1/instances/{i}/contacts?{tail}"),
    (Native, "GET /v1/instances/{i}/changes?{tail}&wait=0"),
    (Native, "GET /v1/instances/{i}/export?{tail}"),
    (Native, "POST /v1/instances/{i}/import?{tail}"),
    (Native, "GET /v1/instances/{i}/contacts/15551230000/names?{tail}"),
    (Wawp, "GET /v2/contacts/all?{tail}"),
    (Wawp, "GET /v2/contacts?{tail}"),
    (Wawp, "GET /v2/lids?{tail}"),
    (Hypersender, "GET /api/whatsapp/v2/{i}/contacts/get-all?{tail}"),
    (Hypersender, "GET /api/whatsapp/v2/{i}/contacts/get?{tail}"),
    (SuperWaba, "GET /api/whatsapp/contacts?{tail}"),
    (Wacr, "GET /contacts?{tail}"),
    (Wacr, "GET /api/v2/groups?{tail}"),
    (Wacr, "GET /contacts/1?{tail}"),
    (Wacr, "GET /account/usage?{tail}"),
    (Waha, "GET /api/contacts/all?{tail}"),
    (Waha, "GET /api/{i}/lids?{tail}"),
    (Waha, "GET /api/sessions?{tail}"),
];
