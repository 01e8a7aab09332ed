#!/usr/bin/python3
"""Writes the dashboards beside it, weir*.json, from the tables in panels.py: `python3 deploy/grafana/boards.py`.

In an expression `{@}` stands for the labels that the variables of the dashboard choose, `{@,state="parked"}` for these and
one more, `[@]` for the interval that Grafana finds right.
"""
import json
import pathlib
import re

import panels

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
TONES = {"good": "green", "warning": "orange", "bad": "red", "none": "text"}


def filled(expression, select):
    return re.sub(r"\s+", " ", expression).replace("{@", "{" + select).replace("[@]", "[$__rate_interval]").strip()


def targets(panel, select):
    made = [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": filled(expression, select), "legendFormat": legend}
            for i, (expression, legend) in enumerate(panel["series"])]
    if panel["type"] == "stat":
        for target in made:
            target["instant"] = True
    return made


def thresholds(steps):
    """[(tone, from)…], the first from nothing on."""
    return {"mode": "absolute", "steps": [{"color": TONES[tone], "value": value} for tone, value in steps]}


def mappings(names):
    return [{"type": "value", "options": {str(value): {"text": text, "color": TONES[tone], "index": i}
                                          for i, (value, text, tone) in enumerate(names)}}] if names else []


def defaults(panel):
    made = {"unit": panel["unit"], "min": 0, "mappings": mappings(panel["names"]), "thresholds": thresholds(panel["steps"])}
    if panel["type"] == "timeseries":
        made["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never",
                          "thresholdsStyle": {"mode": "dashed" if len(panel["steps"]) > 1 else "off"}}
        made["color"] = {"mode": "palette-classic"}
    elif panel["type"] == "state-timeline":
        made["custom"] = {"fillOpacity": 70, "lineWidth": 0}
    if panel["unit"] == "percentunit":
        made["max"] = panel["max"]
    return {key: value for key, value in made.items() if value is not None}


OPTIONS = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
    "state-timeline": {"mergeValues": True, "showValue": "auto", "legend": {"displayMode": "list", "placement": "bottom"},
                       "tooltip": {"mode": "single"}},
    "stat": {"colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto",
             "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
}


def placed(rows):
    """Each row's title and its panels, from left to right, with where they stand; a line is as high as its highest."""
    y = 0
    for title, row in rows:
        yield {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y}}
        x, high, y = 0, 0, y + 1
        for panel in row:
            if x + panel["w"] > COLUMNS:
                x, high, y = 0, 0, y + high
            yield {**panel, "gridPos": {"h": panel["h"], "w": panel["w"], "x": x, "y": y}}
            x, high = x + panel["w"], max(high, panel["h"])
        y += high


def shaped(panel, number, select):
    if panel["type"] == "row":
        return {"id": number, **panel}
    return {"id": number, "type": panel["type"], "title": panel["title"], "description": panel["description"],
            "datasource": SOURCE, "gridPos": panel["gridPos"], "fieldConfig": {"defaults": defaults(panel), "overrides": []},
            "options": OPTIONS[panel["type"]], "targets": targets(panel, select)}


def variable(name, query):
    return {"name": name, "label": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": "A"},
            "definition": query, "refresh": 2, "sort": 1}


def several(name, of):
    """Chosen among the values of a label: some, or all of them."""
    return {**variable(name, f'label_values({of}{{job="$job"}}, {name})'), "multi": True, "includeAll": True, "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]}}


def variables(board):
    return [
        {"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus", "current": {}},
        {**variable("job", "label_values(weir_build_info, job)"), "multi": False, "includeAll": False, "current": {}},
        several("instance", "weir_build_info"), *(several(*one) for one in board["variables"]),
    ]


def dashboard(board):
    select = 'job="$job",instance=~"$instance"'
    return {
        "uid": board["uid"], "title": board["title"], "description": board["description"], "tags": ["weir"],
        "timezone": "browser", "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "links": [{"type": "dashboards", "tags": ["weir"], "title": "Weir", "asDropdown": True, "includeVars": True,
                   "keepTime": True}],
        "templating": {"list": variables(board)},
        "annotations": {"list": [{"name": "Starts", "datasource": SOURCE, "enable": True, "iconColor": "blue",
                                  "expr": filled("changes(process_start_time_seconds{@}[1m]) > 0", select),
                                  "titleFormat": "{{instance}} started"}]},
        "panels": [shaped(panel, number, select) for number, panel in enumerate(placed(board["rows"]), 1)],
    }


def written():
    """{file name: text}"""
    return {f"{board['uid']}.json": json.dumps(dashboard(board), indent=1, ensure_ascii=False) + "\n" for board in panels.BOARDS}


if __name__ == "__main__":
    for name, text in written().items():
        (pathlib.Path(__file__).parent / name).write_text(text, encoding="utf-8")
