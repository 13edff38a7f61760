"""Two image boards with the same posts: one with the API of Gelbooru 0.2, one with that of Danbooru."""

import hashlib
from dataclasses import dataclass

from tests.protocols.service import NOTHING, as_json


@dataclass(frozen=True)
class Post:
    number: int
    tags: tuple
    rating: str = "general"
    file: str = ""  # the text whose MD5 is taken; if empty, the number
    ending: str = "jpg"
    is_hidden: bool = False

    @property
    def md5(self):
        return hashlib.md5((self.file or str(self.number)).encode()).hexdigest()


def fits(post, words):
    for word in words:
        if word.startswith("id:<"):
            if post.number >= int(word[4:]):
                return False
        elif word.startswith("-"):
            if word[1:] in post.tags:
                return False
        elif word not in post.tags:
            return False
    return True


def search(posts, words):
    return sorted((post for post in posts if fits(post, words)), key=lambda post: -post.number)


def as_gelbooru(post):
    return {
        "directory": str(post.number // 1000),
        "hash": "" if post.is_hidden else post.md5,
        "height": 1500,
        "id": post.number,
        "image": f"{post.md5}.{post.ending}",
        "owner": "danbooru",
        "rating": post.rating,
        "tags": " ".join(post.tags),
        "width": 1000,
    }


def gelbooru(posts, at_most=1000, in_table=False):
    """Answer pages by number or below a post's number; an empty body if there are no posts, like Safebooru."""

    def answer(request):
        query = request.query
        expected = {"page": "dapi", "s": "post", "q": "index", "json": "1"}
        if request.path != "/index.php" or any(query.get(key) != value for key, value in expected.items()):
            return as_json({"success": "false", "message": "no such page"})
        limit, page = min(int(query.get("limit", 100)), at_most), int(query.get("pid", 0))
        if page > 200:
            return as_json("Too deep! Pull it back some.")
        found = search(posts, query["tags"].split())[page * limit : (page + 1) * limit]
        described = [as_gelbooru(post) for post in found]
        if in_table:
            return as_json({"@attributes": {"limit": limit}, **({"post": described} if described else {})})
        return as_json(described) if described else NOTHING

    return answer


def as_danbooru(post):
    described = {
        "id": post.number,
        "rating": post.rating[0],
        "tag_string": " ".join(post.tags),
        "tag_string_artist": "sadamoto_yoshiyuki",
        "file_ext": post.ending,
        "source": "https://www.pixiv.net/artworks/1",
    }
    if not post.is_hidden:
        described["md5"] = post.md5
        described["file_url"] = f"https://cdn.donmai.us/original/{post.md5}.{post.ending}"
        described["large_file_url"] = f"https://cdn.donmai.us/sample/sample-{post.md5}.jpg"
    return described


def danbooru(posts, account="", at_most=200):
    """Answer pages by number up to 1000, or `b<id>`; at most two tags, unless the header holds the account."""

    def answer(request):
        if request.path != "/posts.json":
            return as_json({"success": False, "error": "NotFound"}, 404)
        words = request.query["tags"].split()
        if len(words) > 2 and (not account or request.headers.get("authorization") != account):
            message = "You cannot search for more than 2 tags at a time"
            return as_json({"success": False, "error": "PostQuery::TagLimitError", "message": message}, 422)
        limit, page = min(int(request.query.get("limit", 20)), at_most), request.query.get("page", "1")
        if page.startswith("b"):
            found = [post for post in search(posts, words) if post.number < int(page[1:])][:limit]
        else:
            found = search(posts, words)[(int(page) - 1) * limit : int(page) * limit]
        return as_json([as_danbooru(post) for post in found])

    return answer
