"""Openverse's search as in its documentation: pages, licences, and limits without an account."""

from tests.protocols.service import as_json

DEPTH = 12  # the number of pages that are answered


def image(number, **other):
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "title": f"Tank {number}",
        "foreign_landing_url": f"https://www.flickr.com/photos/x/{number}",
        "url": f"https://live.staticflickr.com/{number}.jpg",
        "creator": "Jane Doe",
        "creator_url": "https://www.flickr.com/photos/x",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "provider": "flickr",
        "category": "photograph",
        "attribution": f'"Tank {number}" by Jane Doe is licensed under CC BY-SA 2.0.',
        "height": 683,
        "width": 1024,
        **other,
    }


def answering(images_of_queries):
    """Make the function that answers queries with their images."""

    def answer(request):
        if request.path != "/v1/images/":
            return as_json({"detail": "Not found."}, 404)
        size, page = int(request.query.get("page_size", 20)), int(request.query.get("page", 1))
        has_account = request.headers.get("authorization", "").startswith("Bearer ")
        if size > (50 if has_account else 20):
            return as_json({"detail": "page_size must be between 1 & 20 for unauthenticated requests."}, 401)
        if page > DEPTH:
            return as_json({"detail": "Page depth exceeded."}, 400)
        licences = request.query.get("license", "").split(",")
        categories = request.query.get("category", "").split(",")
        found = [
            image
            for image in images_of_queries.get(request.query["q"], [])
            if image["license"] in licences or licences == [""]
            if image["category"] in categories or categories == [""]
        ]
        return as_json(
            {
                "result_count": len(found),
                "page_count": min(-(-len(found) // size), DEPTH),
                "page_size": size,
                "page": page,
                "results": found[(page - 1) * size : page * size],
            }
        )

    return answer
