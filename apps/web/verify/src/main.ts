import { followSystemTheme } from '@healthtrust/kit'
import '@healthtrust/kit/theme.css'
import { createApp } from 'vue'
import App from './App.vue'
import { i18n } from './words/i18n'

followSystemTheme()
createApp(App).use(i18n).mount('#app')
