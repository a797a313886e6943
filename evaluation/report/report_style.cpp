#include "evaluation/report/report_sections.h"

namespace stride {

// Series colours: after Okabe & Ito 2008 (colour universal design), darkened on the light page and lightened on the
// dark one to a contrast of at least 3:1; shapes differ as well.
std::string report_style() {
  return R"css(
:root{color-scheme:light dark;--paper:#fbfaf8;--card:#fff;--ink:#1d2025;--soft:#5c636e;--rule:#d9d7d2;--grid:#eceae6;
--good:#00714f;--bad:#b3400a;--mark:#fff3dc;--c0:#cf4f00;--c1:#0068a8;--c2:#00855f;--c3:#a13f83;--c4:#8a6400;--c5:#3f7fa6;--c6:#565d68;--c7:#7a4fc9}
@media (prefers-color-scheme:dark){:root{--paper:#14161a;--card:#1c1f25;--ink:#e9e8e4;--soft:#a4abb6;--rule:#383d46;--grid:#2a2e36;
--good:#4fd3a4;--bad:#ff9a5c;--mark:#3a3018;--c0:#ff8b3d;--c1:#5eb3f0;--c2:#35c79b;--c3:#e391c8;--c4:#e0b550;--c5:#8fd0ea;--c6:#b4bbc6;--c7:#b79bff}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","Liberation Sans",sans-serif}
main,header,footer{max-width:1240px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
h1{font-size:1.55rem;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:0 0 12px;letter-spacing:-.005em}
h3{font-size:1rem;margin:0 0 6px}
section{margin:36px 0}
p{margin:0 0 8px}
.meta,.note,figcaption,.muted{color:var(--soft)}
.meta{font-size:.92rem}
.warnings{border-left:3px solid var(--bad);margin:14px 0;padding:2px 0 2px 28px;max-width:90ch;font-size:.92rem}
.note,figcaption{font-size:.88rem;max-width:76ch}
.headline{margin-top:20px}
.sentence{font-size:1.35rem;line-height:1.35;font-weight:600;max-width:64ch;letter-spacing:-.01em}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,230px),1fr));gap:12px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--rule);border-top:4px solid var(--soft);border-radius:6px;padding:12px 14px;font-size:.88rem;color:var(--soft)}
.tile p{margin:0}
.tile .tile-title{color:var(--ink);font-weight:600}
.tile .tile-big{font-size:1.9rem;line-height:1.25;font-weight:700;color:var(--ink);font-variant-numeric:tabular-nums}
.tile.good{border-top-color:var(--good)}
.tile.good .tile-big,td.good{color:var(--good)}
.tile.bad{border-top-color:var(--bad)}
.tile.bad .tile-big,td.bad,small.bad{color:var(--bad)}
.pair,.stack{display:grid;gap:16px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:14px 14px 12px;min-width:0}
@media (min-width:1000px){.pair{grid-template-columns:1fr 1fr}}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 14px;padding:0;margin:0 0 6px;font-size:.85rem}
.legend li{display:flex;align-items:center;gap:5px}
.key{width:14px;height:14px}
.plot{display:block;width:100%;height:auto;font-size:12px;overflow:visible}
.wide{display:none}
figure td small{white-space:normal;text-wrap:balance}
.narrow{max-width:520px}
@media (min-width:600px){.wide{display:block;max-width:760px}.wide.full{max-width:none}.narrow{display:none}}
@media (min-width:600px) and (max-width:999px){.wide{margin:0 auto}}
.plot text{fill:var(--ink)}
.plot .tick{fill:var(--soft);font-variant-numeric:tabular-nums}
.plot .axis-label,.plot .reference-label{fill:var(--soft)}
.plot .row-label{font-size:11.5px}
.narrow .row-label{font-size:11px}
figcaption{margin-top:8px}
.grid{stroke:var(--grid)}
.grid.minor{stroke-width:.5}
.rule{stroke:var(--rule)}
.reference{stroke:var(--soft);stroke-dasharray:5 4}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.series .line{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round}
.series.strong .line{stroke-width:3}
.series .mark{fill:var(--c);stroke:var(--card);stroke-width:1.2}
.series .faint{fill:var(--c);opacity:.32}
.series .fill{fill:var(--c);opacity:.8}
.series .bar{stroke:var(--c);stroke-width:1.4;opacity:.75}
.series .reach{stroke:var(--c);stroke-width:1.2;stroke-dasharray:2 2}
.series .visit{stroke:var(--c);stroke-width:1.2;opacity:.35}
.series .track{stroke:var(--c);stroke-width:1;opacity:.35}
.series .leader{fill:none;stroke:var(--c);stroke-width:.8;opacity:.5}
.plot .series-label{fill:var(--c);font-weight:600}
.strips{--k:var(--k1);background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:14px}
.strips h3{margin:16px 0 4px;font-size:.92rem;color:var(--soft)}
.strip{margin:0 0 8px}
.strip p{margin:0 0 2px;font-size:.86rem;display:flex;gap:10px;align-items:baseline;justify-content:space-between}
.strip small{white-space:nowrap;color:var(--soft);font-variant-numeric:tabular-nums}
.strip img{display:block;width:calc(var(--w)*var(--k));max-width:none;height:auto;image-rendering:pixelated;image-rendering:crisp-edges;image-rendering:pixelated}
.strip .scroll{max-width:var(--clip);overflow:hidden}
.strips.fluid img{width:100%}
.strips.fluid .scroll{max-width:none}
@media (min-width:680px){.strips{--k:var(--k2)}.strip .scroll{max-width:none;overflow-x:auto}}
@media (min-width:860px){.strip{display:grid;grid-template-columns:220px 1fr;gap:14px;align-items:center;margin-bottom:5px}.strip p{display:block;margin:0}.strip small{display:block}}
@media (min-width:1180px){.strips{--k:var(--k3)}}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.86rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 7px;border-bottom:1px solid var(--rule);vertical-align:top;white-space:nowrap}
thead th{font-weight:600;color:var(--soft);border-bottom:2px solid var(--rule)}
th.number,td.number{text-align:right}
th.span{background:var(--paper);color:var(--soft);padding-top:12px;font-weight:600;text-align:left;position:sticky;left:0}
td.name,th.name{white-space:normal;min-width:8.5em}
td.plan small{font-weight:400}
td small{display:block;white-space:nowrap;color:var(--soft);font-size:.78rem;line-height:1.25}
td.best{background:var(--mark)}
td.plan{color:var(--c0);font-weight:600}
.results td:first-child{position:sticky;left:0;background:var(--card)}
.results{background:var(--card)}
section>.scroll,details .scroll{background:var(--card);border:1px solid var(--rule);border-radius:6px}
details{margin:12px 0}
summary{cursor:pointer;font-weight:600;padding:6px 0}
pre{background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:12px;overflow-x:auto;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,"Liberation Mono",monospace}
.facts{display:grid;grid-template-columns:minmax(90px,max-content) 1fr;gap:3px 16px;margin:0 0 14px;font-size:.9rem}
.facts dt{color:var(--soft)}
.facts dd{margin:0;overflow-wrap:anywhere}
footer{color:var(--soft);font-size:.85rem;padding-bottom:40px}
@media print{body{background:#fff}section,figure{break-inside:avoid}}
)css";
}

}  // namespace stride
