// The page: switches between light and dark, and marks the current section in the contents.

const themeButton = document.querySelector('.theme');
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

/** Whether the page is dark. */
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? 'dark' : 'light')) === 'dark';

/** Listeners called when the page turns light or dark. */
const onTheme = [];

const themeChanged = () => {
  themeButton.setAttribute('aria-pressed', String(isDark()));
  for (const listener of onTheme) listener();
};

themeButton.hidden = false;
themeButton.addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  themeChanged();
});
prefersDark.addEventListener('change', themeChanged);
themeChanged();

// The current section is the last one whose heading has passed the upper third of the window.
const links = [...document.querySelectorAll('.contents a')];
const headings = links.map((link) => document.getElementById(link.hash.slice(1)));
let reading = null;
const markReading = () => {
  const passed = headings.findLastIndex((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
  const link = links[Math.max(passed, 0)];
  if (link === reading) return;
  reading?.removeAttribute('aria-current');
  link?.setAttribute('aria-current', 'true');
  reading = link;
};
addEventListener('scroll', markReading, { passive: true });
markReading();

