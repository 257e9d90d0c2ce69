"use strict";
// Keeps the page as it stands on the server, unless somebody is in the middle of reading it by keyboard.
setInterval(async () => {
  const main = document.getElementById("main");
  if (document.hidden || main.contains(document.activeElement)) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
    if (made && made.innerHTML !== main.innerHTML) main.replaceWith(document.adoptNode(made));
  } catch (problem) { /* the server is gone; what was shown stays */ }
}, 1500);
