// Pointing at a buffer marks it in every drawing and table; pointing at a layer marks its column in the map.
(function () {
  'use strict';
  if (!document.getElementById('map')) return;  // a program without calls
  var data = JSON.parse(document.getElementById('data').textContent);
  var info = document.getElementById('info'), map = document.getElementById('map');
  var cursor = document.getElementById('cursor');
  var hint = 'Point at a buffer or at a layer of the tables below.';

  function each(selector, action) { document.querySelectorAll(selector).forEach(action); }
  function bytes(n) { return n.toLocaleString('en-US') + ' B'; }
  function stage(time) { return data.calls[time].stage; }

  function describe(b) {
    var first = stage(b.first), last = stage(b.last);
    return b.label + ' (' + b.kind + '): ' + bytes(b.bytes) + ' at ' + bytes(b.offset) + ', ' +
        (first === last ? 'stage ' + first : 'stages ' + first + ' to ' + last) + '; ' + b.name;
  }
  function mark(index, on) {
    each('[data-b="' + index + '"]', function (element) { element.classList.toggle('hot', on); });
    info.textContent = on ? describe(data.buffers[index]) : hint;
  }
  function column(time) {
    var left = Number(map.dataset.left), step = Number(map.dataset.width) / Number(map.dataset.calls);
    var x = left + step * time, wide = Math.max(step, 2);
    cursor.setAttribute('d', 'M' + x + ' ' + cursor.dataset.top + 'h' + wide + 'V' + cursor.dataset.bottom + 'h' + -wide + 'z');
  }

  info.textContent = hint;
  each('[data-b]', function (element) {
    var index = Number(element.dataset.b);
    element.addEventListener('mouseenter', function () { mark(index, true); });
    element.addEventListener('mouseleave', function () { mark(index, false); });
  });
  each('[data-t]', function (row) {
    row.addEventListener('mouseenter', function () { column(Number(row.dataset.t)); });
    row.addEventListener('mouseleave', function () { cursor.setAttribute('d', ''); });
  });
})();
