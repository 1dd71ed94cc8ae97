// The page itself: a light or a dark look, and where the reader is.

const themeButton = document.querySelector('.theme');
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

/** Whether the page is dark now. */
const isDark = () => (document.documentElement.dataset.theme ?? (prefersDark.matches ? 'dark' : 'light')) === 'dark';

/** Called whenever the page turns light or dark. */
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

// The contents mark the section that is being read: the last one whose heading has passed the upper third.
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

