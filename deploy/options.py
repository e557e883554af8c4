"""Options that several commands of ``star`` share: where the gateway is, and who asks."""

from typing import Annotated

from cyclopts import Parameter

URL = "http://127.0.0.1:8000"
Url = Annotated[str, Parameter(help="Where the gateway is", env_var="STAR_URL")]
User = Annotated[str, Parameter(help="Demo user of an embedded run")]
Token = Annotated[str, Parameter(help="Access token, for a deployed country", env_var="STAR_TOKEN")]
