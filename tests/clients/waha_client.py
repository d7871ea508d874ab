#!/usr/bin/env python3
"""Make every contact, LID and session call of the PyPI package waha-py against a running wabook, sync and async.

The package is made by others from WAHA's OpenAPI description. What its models describe is validated by them; what they
leave open is compared here. Says what does not agree; exit 1 if anything does not.
"""

import argparse
import asyncio
import inspect
import sys

import httpx
from waha import AsyncWahaClient, WahaClient, models

PHONE, STRANGER, LID = "15551230001", "15551239999", "100875997589545"

FLAGS = ("isMe", "isGroup", "isWAContact", "isMyContact", "isBlocked", "isBusiness", "isEnterprise")


class Round:
    """The same calls through one kind of client; each is waited for if it can be."""

    def __init__(self, kind, client, prefix, instance):
        self.kind, self.client, self.prefix, self.instance = kind, client, prefix, instance
        self.calls, self.mismatches = 0, []

    async def call(self, api, verb, *arguments, **named):
        self.calls += 1
        answer = getattr(getattr(self.client, api), self.prefix + verb)(*arguments, **named)
        return await answer if inspect.isawaitable(answer) else answer

    def expect(self, what, found, expected):
        if found != expected:
            self.mismatches.append(f"{self.kind}: {what}: {found!r} is not {expected!r}")

    def model(self, what, name, answer):
        try:
            return getattr(models, name).model_validate(answer)
        except ValueError as error:
            self.mismatches.append(f"{self.kind}: {what} is no {name}: {error}")
            return None

    async def refused(self, what, status, api, verb, *arguments, **named):
        try:
            answer = await self.call(api, verb, *arguments, **named)
        except httpx.HTTPStatusError as error:
            self.expect(what, error.response.status_code, status)
            body = error.response.json()
            self.expect(what + ", in the body", body.get("statusCode"), status)
            self.expect(what + ", its message", bool(body.get("message")), True)
        else:
            self.mismatches.append(f"{self.kind}: {what}: answered {answer!r}")

    def contact(self, what, found, contact_id, name):
        self.expect(what, (found.get("id"), found.get("name")), (contact_id, name))
        self.expect(what + ", its number", found.get("number"), contact_id.split("@")[0] if "c.us" in contact_id else "")
        self.expect(what + ", its pushname", found.get("pushname", "absent"), None)
        self.expect(what + ", its flags", [type(found.get(flag)) for flag in FLAGS], [bool] * len(FLAGS))
        self.expect(what + ", is it saved", found.get("isMyContact"), name is not None)

    async def names(self):
        phone = PHONE + "@c.us"
        body = models.ContactUpdateBody(firstName="John", lastName=self.kind)
        for session in ("default", self.instance):
            for chat_id in (PHONE, phone):
                saved = await self.call("contacts_session", "put", session, chat_id, body)
                self.expect("put", self.model("put", "Result", saved), models.Result(success=True))
                full = f"John {self.kind}"
                self.contact("get", await self.call("contacts_session", "get", session, chat_id), phone, full)
                query = {"contactId": chat_id, "session": session}
                self.contact("get by query", await self.call("contacts", "get", query), phone, full)
        await self.call("contacts_session", "put", "default", phone, {"firstName": "Rob"})
        self.contact("an omitted last name", await self.call("contacts_session", "get", "default", phone), phone, "Rob")

        lid = LID + "@lid"
        await self.call("contacts_session", "put", "default", lid, {"firstName": "Zoë 🌸", "lastName": "李"})
        self.contact("a LID", await self.call("contacts", "get", {"contactId": lid}), lid, "Zoë 🌸 李")
        stranger = STRANGER + "@c.us"
        self.contact("a stranger", await self.call("contacts", "get", {"contactId": STRANGER}), stranger, None)

        every = await self.call("contacts", "get_all", {"session": "default", "sortBy": "id", "sortOrder": "asc"})
        ids = [contact["id"] for contact in every]
        self.expect("all, in order", ids, sorted(ids))
        self.expect("all, with both", {phone, lid} <= set(ids), True)
        page = {"session": self.instance, "sortBy": "id", "sortOrder": "desc", "limit": 1, "offset": 0}
        self.expect("a page", await self.call("contacts", "get_all", page), every[-1:])

    async def checks(self):
        known = await self.call("contacts", "check_exists", {"phone": PHONE, "session": "default"})
        expected = models.WANumberExistResult(numberExists=True, chatId=PHONE + "@c.us")
        self.expect("a known number", self.model("a known number", "WANumberExistResult", known), expected)
        unknown = await self.call("contacts", "check_exists", {"phone": STRANGER, "session": "default"})
        expected = models.WANumberExistResult(numberExists=False)
        self.expect("an unknown number", self.model("an unknown number", "WANumberExistResult", unknown), expected)
        who = {"contactId": PHONE, "session": "default"}
        self.expect("about", await self.call("contacts", "get_about", who), {"about": None})
        for refresh in (True, "True", False):
            picture = await self.call("contacts", "get_profile_picture", {**who, "refresh": refresh})
            self.expect("a picture", picture, {"profilePictureURL": None})

    async def blocks(self):
        for verb, is_blocked in (("block", True), ("unblock", False)):
            for session in ("default", self.instance):
                request = models.ContactRequest(contactId=PHONE + "@c.us", session=session)
                self.expect(verb, await self.call("contacts", verb, request), "")
            found = await self.call("contacts", "get", {"contactId": PHONE})
            self.expect("after " + verb, found["isBlocked"], is_blocked)

    async def lids(self):
        for session in ("default", self.instance):
            listed = await self.call("lids", "get_all", session, {"limit": 100, "offset": 0})
            for mapping in listed:
                self.model("a listed LID", "LidToPhoneNumber", mapping)
            count = self.model("count", "CountResponse", await self.call("lids", "get_lids_count", session))
            self.expect("count", count and count.count, len(listed))
            for lid in (LID, LID + "@lid"):
                found = await self.call("lids", "find_pn_by_lid", session, lid)
                expected = models.LidToPhoneNumber(lid=LID + "@lid", pn=None)
                self.expect("a LID's phone", self.model("a LID's phone", "LidToPhoneNumber", found), expected)
            for phone in (PHONE, PHONE + "@c.us"):
                found = await self.call("lids", "find_lid_by_phone_number", session, phone)
                expected = models.LidToPhoneNumber(lid=None, pn=PHONE + "@c.us")
                self.expect("a phone's LID", self.model("a phone's LID", "LidToPhoneNumber", found), expected)
            found = await self.call("lids", "find_lid_by_phone_number", session, LID + "@lid")
            self.expect("a LID for a phone", found, {"lid": LID + "@lid", "pn": None})

    async def sessions(self):
        listed = await self.call("sessions", "list", {"all": True})
        self.expect("the sessions", [session["name"] for session in listed], [self.instance])
        for session in (*listed, await self.call("sessions", "get", "default")):
            known = self.model("a session", "SessionInfo", session)
            self.expect("its status", known and known.status, models.Status.WORKING)
            self.expect("its name", known and known.name, self.instance)

    async def refusals(self):
        await self.refused("a foreign session", 401, "contacts", "get_all", {"session": "nowhere"})
        await self.refused("a foreign session in a path", 401, "contacts_session", "get", "nowhere", PHONE)
        await self.refused("nobody", 400, "contacts", "get", {"session": "default"})
        await self.refused("a group", 400, "contacts", "block", {"contactId": "120363025246125486@g.us"})
        await self.refused("a name that is none", 400, "contacts_session", "put", "default", PHONE, {"firstName": 7})
        await self.refused("a phone for a LID", 422, "lids", "find_pn_by_lid", "default", PHONE + "@c.us")
        await self.refused("a foreign session's state", 401, "sessions", "get", "nowhere")

    async def all(self):
        for story in (self.names, self.checks, self.blocks, self.lids, self.sessions, self.refusals):
            try:
                await story()
            except (httpx.HTTPError, KeyError, TypeError, AttributeError) as error:
                self.mismatches.append(f"{self.kind}: {story.__name__} broke off: {error!r}")


async def rounds(options):
    sync = WahaClient(options.base, api_key=options.token, timeout=30)
    first = Round("sync", sync, "", options.instance)
    await first.all()
    sync.close()
    asynchronous = AsyncWahaClient(options.base, api_key=options.token, timeout=30)
    second = Round("async", asynchronous, "a_", options.instance)
    await second.all()
    stranger = AsyncWahaClient(options.base, api_key="nonsense", timeout=30)
    third = Round("a stranger", stranger, "a_", options.instance)
    await third.refused("a key that is none", 401, "contacts", "get_all", {"session": "default"})
    await stranger.close()
    await asynchronous.close()
    return first, second, third


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="http://127.0.0.1:8080", help="default: %(default)s")
    parser.add_argument("--token", required=True, help="an access token with contacts:read and contacts:write")
    parser.add_argument("--instance", default="demo", help="the token's instance, default: %(default)s")
    made = asyncio.run(rounds(parser.parse_args()))
    mismatches = [mismatch for each in made for mismatch in each.mismatches]
    print(", ".join(f"{each.kind}: {each.calls} calls" for each in made))
    for mismatch in mismatches:
        print(mismatch, file=sys.stderr)
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
