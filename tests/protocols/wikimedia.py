"""The part of MediaWiki's action API that searches files on Commons, with continuation."""

from tests.protocols.service import as_json


def file(number, licence="cc-by-sa-4.0", **other):
    names = {"cc0": "CC0", "pd": "Public domain", "cc-by-2.0": "CC BY 2.0", "cc-by-sa-4.0": "CC BY-SA 4.0"}
    return {
        "pageid": number,
        "ns": 6,
        "title": f"File:Tank {number}.jpg",
        "imageinfo": [
            {
                "mime": "image/jpeg",
                "url": f"https://upload.wikimedia.org/wikipedia/commons/a/ab/Tank_{number}.jpg",
                "thumburl": f"https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Tank_{number}.jpg/1280px.jpg",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Tank_{number}.jpg",
                "extmetadata": {
                    "ObjectName": {"value": f"Tank {number}"},
                    "Artist": {
                        "value": '<a href="//commons.wikimedia.org/wiki/User:J" title="User:J">Jürgen&nbsp;M</a>'
                    },
                    "License": {"value": licence},
                    "LicenseShortName": {"value": names.get(licence, licence)},
                    "LicenseUrl": {"value": f"https://creativecommons.org/{licence}"},
                },
            }
        ],
        **other,
    }


def answering(files_of_queries, described_at_once=50):
    """Make the function that answers queries with their files; one answer describes a part of each batch."""

    def answer(request):
        query = request.query
        if request.path != "/w/api.php" or query.get("action") != "query" or query.get("formatversion") != "2":
            return as_json({"error": {"code": "badvalue", "info": "Unrecognized value."}})
        if int(query["gsrlimit"]) > 50:
            return as_json({"error": {"code": "toomanyvalues", "info": "gsrlimit"}})
        assert query["gsrsearch"].endswith(" filetype:bitmap")
        found = files_of_queries.get(query["gsrsearch"].removesuffix(" filetype:bitmap"), [])
        start, size = int(query.get("gsroffset", 0)), int(query["gsrlimit"])
        described = int(query.get("iistart", 0))
        batch = []
        for index, file in enumerate(found[start : start + size]):
            is_described = described <= index < described + described_at_once
            without = () if is_described else ("imageinfo",)
            page = {key: value for key, value in file.items() if key not in without} | {"index": start + index + 1}
            if "iiurlwidth" not in query and is_described:
                page["imageinfo"] = [
                    {key: value for key, value in info.items() if key != "thumburl"}
                    for info in page.get("imageinfo", [])
                ]
            batch.append(page)
        # The API promises no order of pages, only their index.
        body = {"query": {"pages": sorted(batch, key=lambda page: str(page["pageid"]))}} if batch else {}
        if described + described_at_once < len(batch):
            following = {"iistart": described + described_at_once, "continue": "||"}
            return as_json(body | {"continue": following | ({"gsroffset": start} if start else {})})
        if start + size < len(found):
            return as_json(body | {"batchcomplete": True, "continue": {"gsroffset": start + size, "continue": "g||"}})
        return as_json(body | {"batchcomplete": True})

    return answer
