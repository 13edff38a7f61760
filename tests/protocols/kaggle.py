"""Kaggle's download of a data set: it wants an account, and redirects to another host's signed address."""

import base64

from tests.protocols.service import Answer, as_json

USERNAME, KEY = "shinji", "sentinel-secret-04af"


def answering(archives, storage):
    """What answers for {"owner/name?version": …} with a redirect to the storage's address."""
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
    """What answers everything with the archive, whoever asks."""
    return lambda request: Answer(content, 200, {"Content-Type": "application/zip"})
