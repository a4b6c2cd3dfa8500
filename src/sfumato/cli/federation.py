"""``sfumato federation``: the coordinator's side of a fit over sites that keep their rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.cli import federation_demo, terminal
from sfumato.cli.fit import MODELS
from sfumato.federation.defaults import ADDRESS, CURIOUS, DEADLINE, LOST, MAX_SITES, PATIENCE

if TYPE_CHECKING:
    from sfumato import Federation

app = typer.Typer(
    name="federation",
    help=(
        "Fit rows that stay at several sites: the coordinator's side. In turn: init, then each site makes a request"
        " (sfumato site init), plan, then each site runs (sfumato site run), run."
    ),
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(help="The coordinator's folder.", metavar="FOLDER")]


@app.command("init")
def init(
    folder: Folder,
    schema: Annotated[Path, typer.Option(help="Public schema of all sites, reviewed.")],
    sites: Annotated[str, typer.Option(help="Their names, with commas between: a,b,c.")],
    epsilon: Annotated[float, typer.Option(help="Privacy loss toward whoever gets the model.")] = 1.0,
    delta: Annotated[float, typer.Option(help="Probability beyond epsilon.")] = terminal.DELTA,
    model: Annotated[str, typer.Option(help=f"One of {MODELS}.")] = "auto",
    target: Annotated[str | None, typer.Option(help="Column of interest.", metavar="COL")] = None,
    curious: Annotated[int, typer.Option(help="Sites that may collude with the coordinator.")] = CURIOUS,
    lost: Annotated[int, typer.Option(help="Sites that may be lost in a round.")] = LOST,
    max_sites: Annotated[
        int, typer.Option(help="Sites at which one person may have rows; the noise is as many times as wide.")
    ] = MAX_SITES,
    local_steps: Annotated[
        int | None,
        typer.Option(
            help="Train a network by averages: steps at each site by itself before each. Default: a sum a step.", min=1
        ),
    ] = None,
    proximal: Annotated[float, typer.Option(help="With --local-steps: mu of FedProx; 0 is FedAvg.", min=0)] = 0.0,
    secure: Annotated[
        bool, typer.Option(help="With --local-steps: whether changes are opened in a secure sum alone.")
    ] = True,
    address: Annotated[str, typer.Option(help="HOST:PORT under which the sites will reach the coordinator.")] = ADDRESS,
    as_json: terminal.AsJson = False,
) -> None:
    """Fix what is to be fitted and with whom, in a new FOLDER with the keys of the connections."""
    import sfumato as sf

    names = [name.strip() for name in sites.split(",")]
    promised = terminal.guarantee(epsilon, delta)
    sf.Federation.make(
        folder,
        schema,
        names,
        promised,
        model=model,
        target=target,
        curious=curious,
        lost=lost,
        address=address,
        max_sites=max_sites,
        local_steps=local_steps,
        proximal=proximal,
        secure=secure,
    )
    wanted = "\n".join(f"  sfumato site init FOLDER --name {name}" for name in names)
    text = f"{folder}: made\nnow each site makes its keys and sends its request file:\n{wanted}\nthen: sfumato"
    text += f" federation plan {folder} REQUEST..."
    terminal.answer({"folder": str(folder), "sites": names, "address": address}, text, as_json, saved=True)


@app.command("plan")
def plan(
    folder: Folder,
    requests: Annotated[
        list[Path] | None, typer.Argument(help="Request files that they sent.", metavar="[REQUEST]...")
    ] = None,
    as_json: terminal.AsJson = False,
) -> None:
    """Write the plan for all who take part, from their requests."""
    import sfumato as sf

    federation = sf.Federation(folder)
    maker, member = federation.commands
    invitation = federation.invite(requests or [])
    made = federation.plan
    members = [{"name": m.name, "fingerprint": m.fingerprint} for m in made.roster.members]
    result = {"plan": str(invitation), "sha256": made.digest.hex(), "sites": members, "words": made.words()}
    text = "\n".join(
        (
            f"{invitation}: give this file to every {member}. It says:",
            *(f"  {line}" for line in made.words()),
            f"each {member} asks the others, not you, for their fingerprints: sfumato {member} confirm",
            f"then: sfumato {maker} run {folder} -o model.sfm",
        )
    )
    terminal.answer(result, text, as_json, saved=True)


@app.command("run")
def run(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the model goes.")] = Path("model.sfm"),
    key: Annotated[Path | None, typer.Option(help="Ed25519 private key to sign the certificate with.")] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for all sites to be there.")] = PATIENCE,
    deadline: Annotated[float, typer.Option(help="Seconds that a site has for each answer.")] = DEADLINE,
    as_json: terminal.AsJson = False,
) -> None:
    """Run the plan over all sites, learn, and save the model with its certificate.

    The same command goes on with a run that was interrupted.
    """
    import sfumato as sf

    federation = sf.Federation(folder)
    if federation.encrypted_for is not None:
        _train(federation, wait, deadline, as_json)
        return
    with terminal.progress() as progress:
        fitted = federation.fit(output, key=key, patience=wait, deadline=deadline, progress=progress)
    stated = fitted.certificate
    certificate = stated if isinstance(stated, sf.Certificate) else None
    outside, noise = fitted.outside or (0.0, 0.0)
    sent = None if certificate is None else certificate.federation
    found = federation.status().get("sites_certified")
    signed = list(map(str, found)) if isinstance(found, list) else []
    result = {
        "model": str(output),
        "algorithm": fitted.model,
        "certified": certificate is not None,
        "epsilon": fitted.guarantee.epsilon if fitted.guarantee.private else None,
        "delta": fitted.guarantee.delta,
        "epsilon_spent": None if certificate is None else certificate.composition.epsilon_spent,
        "plan": federation.plan.digest.hex(),
        "rounds": None if sent is None else sent.rounds,
        "bytes_sent_by_a_site": None if sent is None else sent.bytes_sent,
        "bytes_received_by_a_site": None if sent is None else sent.bytes_received,
        "sites_certified": signed,
        "charges_resumed": fitted.resumed,
        "sites_not_told": list(federation.untold),
        "synthetic_rows": fitted.default_rows,
        "rows_outside_facts": {"estimate": outside, "noise": noise},
    }
    text = f"{output}: {fitted.model} over {', '.join(federation.sites)}"
    if certificate is None:
        text += "\nNO CERTIFICATE: epsilon is infinite"
    else:
        text += f"\ncertificate: epsilon {fitted.guarantee.epsilon:g}, delta {fitted.guarantee.delta:g} per"
        text += f" {fitted.guarantee.unit}"
    if sent is not None:
        text += f"\n{sent.rounds} sums were opened; a site sent at most {sent.bytes_sent:,} bytes and was sent at most"
        text += f" {sent.bytes_received:,}"
        text += f"\nsigned at the end by {', '.join(signed) or 'no site'}"
    if fitted.resumed:
        text += f"\nwent on with an earlier try: {fitted.resumed} sums were not asked again"
    if federation.untold:
        text += f"\n{', '.join(federation.untold)}: not told that the run is over; the same command tells them"
    if outside > 3 * noise:
        text += f"\nabout {outside:,.0f} (noise {noise:,.0f}) rows lie outside the declared facts"
    terminal.answer(result, text, as_json, saved=True)


def _train(federation: Federation, wait: float, deadline: float, as_json: bool) -> None:
    """Run a training on shares, of which nothing comes here."""
    with terminal.progress() as progress:
        federation.train(patience=wait, deadline=deadline, progress=progress)
    receiver = federation.encrypted_for
    result = {"receiver": receiver, "plan": federation.plan.digest.hex(), "certified": False, "epsilon": None}
    text = f"trained on the shares of {', '.join(federation.sites)}: {receiver} alone has the model, which has NO"
    text += " CERTIFICATE and may reveal rows; no party saw those of another"
    terminal.answer(result, text, as_json, saved=True)


@app.command("status")
def status(folder: Folder, as_json: terminal.AsJson = False) -> None:
    """Say how far the run in FOLDER is."""
    import sfumato as sf

    found = sf.Federation(folder).status()
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in found.items() if value not in (None, [])]
    terminal.answer(found, "\n".join(lines), as_json)


app.command("demo")(federation_demo.demo)
