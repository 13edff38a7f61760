"""Reddit as PRAW sees it: a token for an app's credentials, and listings of posts, page by page."""

import base64

from tests.protocols.service import as_json

CLIENT_ID, CLIENT_SECRET, TOKEN = "app-of-the-tests", "sentinel-secret-7f3a", "sentinel-token-91bc"


def post(number, **other):
    return {
        "id": f"p{number}",
        "name": f"t3_p{number}",
        "title": f"Car {number}",
        "author": f"user{number}",
        "subreddit": "carporn",
        "url": f"https://i.redd.it/Pic{number}.jpg",
        "permalink": f"/r/carporn/comments/p{number}/car/",
        "over_18": False,
        "removed_by_category": None,
        **other,
    }


def gallery(number, media, **other):
    """Make a post with a gallery; media is {id: its entry in media_metadata, or None for no entry}."""
    return post(
        number,
        url=f"https://www.reddit.com/gallery/p{number}",
        is_gallery=True,
        gallery_data={"items": [{"media_id": key, "id": index} for index, key in enumerate(media)]},
        media_metadata={
            key: {"status": "valid", "e": "Image", "m": "image/jpg", "id": key, **value}
            for key, value in media.items()
            if value is not None
        },
        **other,
    )


def page(posts, after):
    children = [{"kind": "t3", "data": post} for post in posts]
    return as_json(
        {"kind": "Listing", "data": {"after": after, "before": None, "children": children, "dist": len(posts)}}
    )


def answering(listings, page_size=100):
    """Make the function that answers `/r/<subreddit>/<listing>`; the listings are {"carporn/new": posts, …}."""

    def answer(request):
        if request.path == "/api/v1/access_token":
            expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            if request.headers.get("authorization") != f"Basic {expected}":
                return as_json({"message": "Unauthorized", "error": 401}, 401)
            return as_json({"access_token": TOKEN, "token_type": "bearer", "expires_in": 3600, "scope": "*"})
        if request.headers.get("authorization") != f"bearer {TOKEN}":
            return as_json({"message": "Unauthorized", "error": 401}, 401)
        name = request.path.removeprefix("/r/").strip("/")
        key = "/".join(part for part in (name, request.query.get("t", "")) if part)
        if key not in listings:
            return as_json({"message": "Not Found", "error": 404}, 404)
        posts, size = listings[key], min(int(request.query["limit"]), page_size)
        names = [post["name"] for post in posts]
        start = names.index(request.query["after"]) + 1 if "after" in request.query else 0
        found = posts[start : start + size]
        return page(found, found[-1]["name"] if start + size < len(posts) else None)

    return answer
