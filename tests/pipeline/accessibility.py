"""axe-core on pages of the built site, with every fold open."""

from axe_core_python.base import AXE_SCRIPT

#: What axe calls the findings that must not be there.
GRAVE = {"critical", "serious"}
# What fades in has too light an ink until it is there.
AT_ONCE = "* { animation: none !important; transition: none !important; }"
OPEN = """
    const style = document.createElement("style");
    style.textContent = arguments[0];
    document.head.append(style);
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    requestAnimationFrame(() => requestAnimationFrame(arguments[1]));"""
RUN = "const done = arguments[0]; axe.run(document).then(done, (error) => done(String(error)));"


def grave_findings(driver):
    """The critical and serious findings on the page that the browser shows.

    Returns
    -------
    list of str
        For each broken rule, its name and the first element that breaks it.
    """
    driver.execute_async_script(OPEN, AT_ONCE)
    driver.execute_script(AXE_SCRIPT)
    report = driver.execute_async_script(RUN)
    assert isinstance(report, dict), report
    return [
        f"{found['id']}: {found['nodes'][0]['html'][:200]}"
        for found in report["violations"]
        if found["impact"] in GRAVE
    ]
