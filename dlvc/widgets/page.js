// The page's side of a widget that runs without a notebook: a host with the numbers that stand in the page itself.

const state = JSON.parse(document.getElementById("dlvc-state").textContent);
const host = {
  get: (name) => (name === "state" ? state : document.getElementById(`dlvc-${name}`).textContent),
  set: (name, value) => Object.assign(state, value),
  save_changes() {},
  on() {},
};
const root = document.getElementById("dlvc-root");
widget.render({ model: host, el: root });

// Inside a notebook the page is a frame: as high as what it holds, and as dark as what is around it.
const frame = (() => {
  try {
    return window.frameElement; // refused where the notebook is of another origin
  } catch {
    return null;
  }
})();
if (frame) {
  const fit = () => (frame.style.height = `${Math.ceil(root.getBoundingClientRect().height) + 4}px`);
  new ResizeObserver(fit).observe(root);
  const outside = window.parent.document.body;
  const follow = () => {
    const light = outside.dataset.jpThemeLight;
    if (light) document.documentElement.dataset.theme = light === "true" ? "light" : "dark";
  };
  new MutationObserver(follow).observe(outside, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  follow();
}
