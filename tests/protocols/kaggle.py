"""Kaggle's download of a data set, which needs an account and redirects to a signed address of another host."""

import base64

from tests.protocols.service import Answer, as_json

USERNAME, KEY = "shinji", "sentinel-secret-04af"


def answering(archives, storage):
    """Make the function that redirects requests for archives, a set of "owner/name?version", to the storage."""
    account = "Basic " + base64.b64encode(f"{USERNAME}:{KEY}".encode()).decode()

    def answer(request):
        if request.headers.get("authorization") != account:
            return as_json({"code": 401, "message": "Unauthorized"}, 401)
        name = request.path.removeprefix("/api/v1/datasets/download/")
        if f"{name}?{request.query.get('datasetVersionNumber')}" not in archives:
            return as_json({"code": 404, "message": "Not found"}, 404)
        return Answer(b"", 302, {"Location": f"{storage}/{name}.zip?signature=x"})

    return answer


def storing(content):
    """Make the function that answers every request with the archive."""
    return lambda request: Answer(content, 200, {"Content-Type": "application/zip"})
