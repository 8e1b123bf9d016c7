for (const wave of document.querySelectorAll('.wave')) {
  const audio = wave.parentElement.querySelector('audio');
  const head = wave.querySelector('.head');
  audio.addEventListener('timeupdate', () => {
    head.style.left = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
  });
  wave.addEventListener('click', (event) => {
    const box = wave.getBoundingClientRect();
    audio.currentTime = ((event.clientX - box.left) / box.width) * (audio.duration || 0);
    audio.play();
  });
}
